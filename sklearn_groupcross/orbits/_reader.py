"""From one image and some positions in it to orbit stacks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..actions import PositionedAction
from ..networks import Network, ReceptiveField, Window

#: What `OrbitDataset` calls ``interpolation``.
INTERPOLATIONS = ("bilinear", "exact")
# In pixels, of positions in float32.
_FLOAT_ERROR = 1e-3


@dataclass(frozen=True)
class OrbitReader:
    """Reads ``O[p, g] = a(g·x)`` at ``g·p`` from one or several layers of a network.

    Parameters
    ----------
    action : PositionedAction
    network : Network
    layers : tuple of str
    fields : tuple of ReceptiveField
        Of those layers, at the input size to which transformed images are cropped.
    interpolation : {"bilinear", "exact"}
        ``"bilinear"`` passes each transformed image through the network once and interpolates its
        map at all positions. ``"exact"`` cuts a patch about each moved position such that the
        position falls on one and the same unit for every element.
    batch_size : int
        Transformed images that pass through the network at once.
    radius : float
        In pixels: what is beyond the readings of that disk about the image centre is not computed,
        unless a position lies farther out.
    """

    action: PositionedAction
    network: Network
    layers: tuple[str, ...]
    fields: tuple[ReceptiveField, ...]
    interpolation: str
    batch_size: int
    radius: float

    def read(self, image: Tensor, positions: Tensor) -> Tensor:
        """Read the orbit of every position.

        Parameters
        ----------
        image : Tensor of shape (n_channels, source_size, source_size)
            Of the network's channels: RGB in [0, 1].
        positions : Tensor of shape (n_positions, 2)
            (column, row) in pixels from the image centre.

        Returns
        -------
        orbits : Tensor of shape (n_positions, order, n_channels)
            The layers' channels side by side.
        """
        read = self._read_exactly if self.interpolation == "exact" else self._read_maps
        return read(image, positions)

    def _read_maps(self, image: Tensor, positions: Tensor) -> Tensor:
        size = self.fields[0].input_size
        views = self.action.transform(image[None], size)[0]
        windows = self._windows(positions)
        moved = self.action.transform_positions(positions.to(image.device)).transpose(0, 1)
        n_channels = [field.n_channels for field in self.fields]
        orbits = views.new_empty(len(positions), len(views), sum(n_channels))
        by_layer = orbits.split(n_channels, dim=-1)
        for start in range(0, len(views), self.batch_size):
            batch = slice(start, start + self.batch_size)
            maps = self.network.activations_within(views[batch], windows)
            for (layer, window), stacks in zip(windows.items(), by_layer, strict=True):
                values = interpolate_map(maps[layer], window.to_units(moved[batch]))
                stacks[:, batch] = values.transpose(0, 1)
        return orbits

    def _windows(self, positions: Tensor) -> dict[str, Window]:
        """Units that are read: the same for all images, so that all pass in the same way."""
        farthest = max(positions.norm(dim=-1).tolist(), default=0.0)
        radius = self.radius if farthest <= self.radius + _FLOAT_ERROR else math.inf
        layers = zip(self.layers, self.fields, strict=True)
        return {layer: Window.within(field, radius) for layer, field in layers}

    def _read_exactly(self, image: Tensor, positions: Tensor) -> Tensor:
        by_layer = [
            self._read_unit(image, positions, layer, field)
            for layer, field in zip(self.layers, self.fields, strict=True)
        ]
        return torch.cat(by_layer, dim=-1)

    def _read_unit(
        self, image: Tensor, positions: Tensor, layer: str, field: ReceptiveField
    ) -> Tensor:
        side, unit = field.smallest_input()
        at = landing_point(field)
        order = self.action.group.order
        n_at_once = max(1, self.batch_size // order)
        orbits = []
        for part in positions.split(n_at_once):
            source = image.expand(len(part), -1, -1, -1)
            patches = self.action.transform_about(source, part, side, at=at).flatten(0, 1)
            values = [
                self.network.activations(batch, layer)[:, :, unit[1], unit[0]]
                for batch in patches.split(self.batch_size)
            ]
            orbits.append(torch.cat(values).reshape(len(part), order, -1))
        return torch.cat(orbits)


def check_patches(
    network: Network, layers: tuple[str, ...], fields: tuple[ReceptiveField, ...]
) -> None:
    """Try on noise whether a patch is enough to compute a unit, as exact readings take it.

    Raises
    ------
    ValueError
        If a unit of a patch is not that of the image, as where a preprocess makes all images of
        one size, or neighbouring units are of different kinds, as behind upsampling.
    """
    for layer, field in zip(layers, fields, strict=True):
        label = f"Exact readings of layer {layer!r} of {network.name!r}"
        if max(field.repeats) > 1:
            raise ValueError(
                f"{label} are not those of its map: {max(field.repeats)} neighbouring units look "
                "at different parts of the image, as behind upsampling. Use "
                "interpolation='bilinear'."
            )
        side, unit = field.smallest_input()
        interior = field.interior_units()
        if side == field.input_size or field.global_context or not all(interior):
            continue
        at = tuple(run[-1] for run in interior)
        left, top = (
            round(stride * (k - u)) for stride, k, u in zip(field.stride, at, unit, strict=True)
        )
        generator = torch.Generator().manual_seed(0)
        shape = (1, network.n_channels, field.input_size, field.input_size)
        image = torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu")
        image = image.to(network.device)
        whole = network.activations(image, layer)[0, :, at[1], at[0]]
        try:
            patch = network.activations(image[..., top : top + side, left : left + side], layer)
            difference = (patch[0, :, unit[1], unit[0]] - whole).abs().max() / whole.abs().max()
        except (RuntimeError, IndexError, ValueError, AssertionError) as error:
            raise ValueError(
                f"{label} are made of patches of {side} px, which it cannot read ({error}). Use "
                "interpolation='bilinear'."
            ) from error
        if difference > _ROUNDING:
            raise ValueError(
                f"{label} are not those of its map: a unit of a patch of {side} px differs by "
                f"{difference:.2g} from that of the image. Something on the way depends on the "
                "size of the image, such as a preprocess that resizes. Use "
                "interpolation='bilinear'."
            )


#: Of a unit in other surroundings, relative to the largest channel, in bfloat16 too.
_ROUNDING = 0.05


def landing_point(field: ReceptiveField) -> tuple[float, float]:
    """Where in the patch of an exact reading the position falls: pixels from the patch centre."""
    side, unit = field.smallest_input()
    column, row = (
        offset + k * stride - (side - 1) / 2
        for k, offset, stride in zip(unit, field.offset, field.stride, strict=True)
    )
    return column, row


def exact_reach(field: ReceptiveField) -> float:
    """How far from a position, in pixels, an exact reading looks under any turn."""
    side, _ = field.smallest_input()
    if max(field.size) <= side and not field.global_context:
        return math.hypot(*((size - 1) / 2 for size in field.size))
    return math.hypot(*((side - 1) / 2 + abs(offset) for offset in landing_point(field)))


def interpolate_map(maps: Tensor, units: Tensor) -> Tensor:
    """Interpolate maps (n, c, h, w) bilinearly at fractional units (n, p, 2), giving (n, p, c)."""
    size = maps.new_tensor([maps.shape[-1], maps.shape[-2]])
    grid = (2 * units.to(maps) + 1) / size - 1
    values = F.grid_sample(maps, grid[:, None], padding_mode="border", align_corners=False)
    return values[:, :, 0].transpose(1, 2)
