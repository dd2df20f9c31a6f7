"""Where in the image the units of a layer look: stride, offset and size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .._plain import as_numpy

# By how many units positions in float32 may be beyond where they were meant to be.
_ROUNDING = 1e-4


@dataclass(frozen=True)
class ReceptiveField:
    """Geometry of a layer's units, each attribute as (column, row).

    Attributes
    ----------
    stride : tuple of float
        Pixels between the centres of neighbouring units.
    offset : tuple of float
        Pixel on which the field of unit 0 is centred. Unit k is centred on ``offset + k stride``.
    size : tuple of int
        Side of a unit's receptive field in pixels. Where `global_context` is true, that of what
        reaches the unit from its own place.
    map_size : tuple of int
        Number of units of the layer's map.
    n_channels : int
        Number of the layer's channels.
    input_size : int
        Side of the image in pixels.
    global_context : bool
        Whether the whole image has an influence on every unit besides its field: through gates as
        in squeeze-and-excite, through attention, or through statistics over all positions. Units
        keep their places, but no unit can be computed from a part of the image.
    repeats : tuple of int
        Units after which fields repeat: more than 1 behind upsampling, where neighbouring units
        look at different parts of what is given here, `size` being that of all together.
    derivation : {"derived", "measured"}
        ``"derived"`` from the operations of the forward pass; ``"measured"`` where these could not
        be followed, and gradients at some units fit no other field.
    wraps : tuple of float
        Pixels after which a field that reaches over the border goes on from the other side, as
        circular padding has it; 0 elsewhere.
    """

    stride: tuple[float, float]
    offset: tuple[float, float]
    size: tuple[int, int]
    map_size: tuple[int, int]
    n_channels: int
    input_size: int
    global_context: bool = False
    repeats: tuple[int, int] = (1, 1)
    derivation: str = "derived"
    wraps: tuple[float, float] = field(default=(0.0, 0.0), repr=False)

    def check_map(self, maps: Tensor, layer: str) -> None:
        """Hold a map that was read against this field.

        Parameters
        ----------
        maps : Tensor of shape (..., n_channels, map height, map width)
        layer : str
            What the message calls the layer.

        Raises
        ------
        ValueError
            If it has other channels, columns or rows: units are then not where the field says.
        """
        found = (maps.shape[-3], maps.shape[-1], maps.shape[-2])
        if found != (self.n_channels, *self.map_size):
            raise ValueError(
                f"Layer {layer!r} put out a map of {found[1]} × {found[2]} units with {found[0]} "
                f"channels; its receptive field was found for {self.map_size[0]} × "
                f"{self.map_size[1]} units with {self.n_channels} channels in images of "
                f"{self.input_size} px. The size of a map must follow from that of the image alone."
            )

    def to_units(self, positions: Tensor | ArrayLike) -> Tensor:
        """Map pixel positions from the image centre, (..., 2), to fractional unit indices.

        Parameters
        ----------
        positions : Tensor or array-like of shape (..., 2)
            (column, row), rows counted downwards.

        Returns
        -------
        units : Tensor of shape (..., 2)
            Floating point.
        """
        positions = _as_floats(positions)
        offset, stride = positions.new_tensor(self.offset), positions.new_tensor(self.stride)
        return (positions + self._center - offset) / stride

    def to_positions(self, units: Tensor | ArrayLike) -> Tensor:
        """Map unit indices, (..., 2), fractional or not, to pixel positions from the image centre.

        The inverse of `to_units`. Both are (column, row), rows counted downwards.

        Parameters
        ----------
        units : array-like or Tensor of shape (..., 2)

        Returns
        -------
        positions : Tensor of shape (..., 2)
            In pixels.
        """
        units = _as_floats(units)
        offset, stride = units.new_tensor(self.offset), units.new_tensor(self.stride)
        return units * stride + offset - self._center

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """(left, right, bottom, top) of the map in pixels of the image, rows counted downwards.

        As matplotlib's ``imshow`` has it: every unit covers one stride about its centre. Pixel 0
        is centred on 0.
        """
        (left, right), (top, bottom) = (
            (offset - stride / 2, offset + (n_units - 0.5) * stride)
            for stride, offset, _, n_units in self._axes()
        )
        return left, right, bottom, top

    def interior_units(self) -> tuple[range, range]:
        """Units whose fields lie inside the image: they see no padding.

        Only padding is excluded: fields may reach into the corners of the image, which a turned
        square does not fill (see `interior_radius`). What comes through `global_context` sees the
        padding in any case.

        Returns
        -------
        columns, rows : range
            Empty where fields are larger than the image.
        """
        columns, rows = (
            range(
                max(0, math.ceil((reach - offset) / stride)),
                min(n_units, math.floor((self.input_size - 1 - reach - offset) / stride) + 1),
            )
            for stride, offset, reach, n_units in self._axes()
        )
        return columns, rows

    def interior_radius(self, *, turned: bool = False) -> float:
        """Radius in pixels of the largest centred disk whose readings see real pixels only.

        A continuous position is read from the four units around it, so the fields of all four
        count.

        Parameters
        ----------
        turned : bool, default=False
            False excludes padding: all four are `interior_units`. That is enough where a larger
            image is turned and then cropped, as `OrbitDataset` does. True also excludes the corners
            of a turned square: the fields lie inside the circle inscribed in the image, and all
            that they show is there whatever the turn.

        Returns
        -------
        radius : float
            Where fields are about as large as the image there is no disk without padding, and the
            largest one within the layer's map is returned instead: its readings see padding.

        Raises
        ------
        ValueError
            If `turned` and no field lies inside the circle.
        """
        if turned:
            # the farthest pixel that a reading at distance r may see is r + the diagonal away
            diagonal = math.hypot(*(reach + stride for stride, _, reach, _ in self._axes()))
            if diagonal > self._center:
                raise ValueError(
                    f"No field of {self.size[0]} × {self.size[1]} px stays clear of the corners of "
                    f"a turned image of {self.input_size} px: use a larger input_size or an "
                    "earlier layer."
                )
            return self._center - diagonal
        if self.has_interior:
            return self._disk_of(self.interior_units())
        columns, rows = self.map_size
        return max(self._disk_of((range(columns), range(rows))), 0.0)

    @property
    def has_interior(self) -> bool:
        """Whether there is a centred disk whose readings see no padding; see `interior_radius`."""
        units = self.interior_units()
        return all(units) and self._disk_of(units) > 0

    def units_around(self, radius: float) -> tuple[range, range]:
        """Units that are read at positions within a disk about the image centre.

        A continuous position is read from the four units around it.

        Parameters
        ----------
        radius : float
            In pixels.

        Returns
        -------
        columns, rows : range
        """
        runs = []
        for stride, offset, _, n_units in self._axes():
            ends = ((self._center + side * radius - offset) / stride for side in (-1, 1))
            first, last = (min(max(end, 0.0), n_units - 1.0) for end in ends)
            start, stop = math.floor(first + _ROUNDING), math.ceil(last - _ROUNDING) + 1
            runs.append(range(start, max(stop, start + 1)))
        columns, rows = runs
        return columns, rows

    def smallest_input(self) -> tuple[int, tuple[int, int]]:
        """Side of the smallest square image in which a unit sees no padding, and that unit.

        A patch of that size is enough to compute one unit: cut it out of an image so that its
        corner lies a whole number of strides from the image's, and the unit's activation is that of
        the corresponding unit of the image. The side is the field's, and what it takes to align the
        field with the grid: units are centred on ``offset + k stride`` and nowhere else. With
        `global_context` the whole image counts, and the activation differs.

        Returns
        -------
        side : int
            Pixels; `input_size` if that is smaller.
        unit : tuple of int
            (column, row). Where no unit sees an image of `input_size` without padding, the one
            nearest to its centre.
        """
        first = [
            max(0, math.ceil((reach - offset) / stride))
            for stride, offset, reach, _ in self._axes()
        ]
        side = max(
            math.ceil(offset + k * stride + reach) + 1
            for k, (stride, offset, reach, _) in zip(first, self._axes(), strict=True)
        )
        if side <= self.input_size:
            return side, (first[0], first[1])
        column, row = (
            min(max(round((self._center - offset) / stride), 0), n_units - 1)
            for stride, offset, _, n_units in self._axes()
        )
        return self.input_size, (column, row)

    @property
    def _center(self) -> float:
        return (self.input_size - 1) / 2

    def _axes(self) -> Iterator[tuple[float, float, float, int]]:
        """Stride, offset, reach of a field from its centre, and number of units, of each axis."""
        for stride, offset, size, n_units in zip(
            self.stride, self.offset, self.size, self.map_size, strict=True
        ):
            yield stride, offset, (size - 1) / 2, n_units

    def _disk_of(self, units: tuple[range, range]) -> float:
        """Radius of the largest centred disk between the outermost of some units, in pixels."""
        ends = [
            (offset + run[0] * stride, offset + run[-1] * stride)
            for run, (stride, offset, _, _) in zip(units, self._axes(), strict=True)
        ]
        return min(min(self._center - first, last - self._center) for first, last in ends)


def _as_floats(values: Tensor | ArrayLike) -> Tensor:
    """Pairs (..., 2) as a floating-point tensor.

    Raises
    ------
    ValueError
        If they are no pairs.
    """
    tensor = (
        values
        if isinstance(values, Tensor)
        else torch.from_numpy(np.array(as_numpy(values, "values")))
    )
    if tensor.ndim == 0 or tensor.shape[-1] != 2:
        raise ValueError(f"Pairs (column, row) have shape (..., 2); got {tuple(tensor.shape)}.")
    return tensor if tensor.is_floating_point() else tensor.to(torch.float32)
