"""What of an image is optimized: as much as the unit in the middle of a layer's map sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..networks import Network, ReceptiveField, receptive_field

_GRAY = 0.5


@dataclass(frozen=True)
class Window:
    """Where a picture lies in the image that the network is given, and the unit that sees it.

    Attributes
    ----------
    layer : str
    side : int
        Of the image, in pixels.
    unit : tuple of int
        (column, row) in the layer's map of that image.
    start : tuple of int
        (column, row) of the picture's first pixel.
    size : int
        Side of the picture: the receptive field's, at most the image's.
    """

    layer: str
    side: int
    unit: tuple[int, int]
    start: tuple[int, int]
    size: int

    def fill(self, pictures: Tensor) -> Tensor:
        """Images (n, n_channels, side, side) of pictures, gray around them."""
        (left, top), rest = self.start, self.side - self.size
        return functional.pad(pictures, (left, rest - left, top, rest - top), value=_GRAY)

    def read(self, network: Network, pictures: Tensor) -> Tensor:
        """Activations (n, n_channels) of the unit, through which gradients flow.

        Raises
        ------
        ValueError
            If they have none; see `Network.activations_with_gradients`.
        """
        column, row = self.unit
        maps = network.activations_with_gradients(self.fill(pictures), self.layer)
        return maps[:, :, row, column]


def find_window(network: Network, layer: str, field: ReceptiveField | None = None) -> Window:
    """Find the smallest input in which a unit computes what it does in a whole image.

    Where the network reads images of its own size alone, or units know of the whole image, that is
    the unit nearest to the middle of a whole one.

    Raises
    ------
    ValueError
        As `receptive_field`.
    """
    field = receptive_field(network, layer) if field is None else field
    side, unit = field.smallest_input()
    middle = tuple(
        min(max(round(((field.input_size - 1) / 2 - offset) / stride), 0), n_units - 1)
        for offset, stride, n_units in zip(field.offset, field.stride, field.map_size, strict=True)
    )
    if not _is_enough(network, layer, field, side, unit, (middle[0], middle[1])):
        side, unit = field.input_size, (middle[0], middle[1])
    # with `global_context` everything has an influence
    size = side if field.global_context else min(*field.size, side)
    starts = (
        min(max(round(offset + k * stride - (size - 1) / 2), 0), side - size)
        for k, offset, stride in zip(unit, field.offset, field.stride, strict=True)
    )
    return Window(layer, side, unit, (next(starts), next(starts)), size)


def _is_enough(
    network: Network,
    layer: str,
    field: ReceptiveField,
    side: int,
    unit: tuple[int, int],
    middle: tuple[int, int],
) -> bool:
    """Whether a unit of a patch computes what the unit in the middle of an image does."""
    if field.global_context or side >= field.input_size:
        return False
    shifts = [m - k for m, k in zip(middle, unit, strict=True)]
    corner = [n * stride for n, stride in zip(shifts, field.stride, strict=True)]
    if any(
        n % repeats or c != int(c) or not 0 <= c <= field.input_size - side
        for n, repeats, c in zip(shifts, field.repeats, corner, strict=True)
    ):
        return False
    left, top = map(int, corner)
    shape = (1, network.n_channels, field.input_size, field.input_size)
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu")
    image = image.to(network.device)
    expected = network.activations(image, layer)[0, :, middle[1], middle[0]]
    try:
        patch = image[:, :, top : top + side, left : left + side]
        maps = network.activations(patch, layer)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError):
        return False  # it reads images of one size
    if unit[0] >= maps.shape[-1] or unit[1] >= maps.shape[-2]:
        return False
    difference = (maps[0, :, unit[1], unit[0]] - expected).abs().max()
    tolerance = 0.05 if network.precision == "bfloat16" else 1e-3
    return bool(difference <= tolerance * expected.abs().max())
