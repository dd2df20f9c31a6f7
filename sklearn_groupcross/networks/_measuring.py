"""Which pixels reach a unit, measured: with gradients, or by changing them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ._field import ReceptiveField
from ._field_rules import POINTWISE, RULES
from ._local_paths import LocalPaths
from ._module_state import reading
from ._network import Network
from ._tracking import FieldTracker

Unit = tuple[int, int]


class Box(NamedTuple):
    """First and last pixel column, first and last pixel row."""

    left: int
    right: int
    top: int
    bottom: int


class Footprints(NamedTuple):
    """Pixel columns and pixel rows that reach some units, and of what layer."""

    touched: dict[Unit, tuple[NDArray[np.bool_], NDArray[np.bool_]]]
    map_size: tuple[int, int]
    n_channels: int
    global_context: bool
    complete: bool = True  # or only what changes a unit by more than the rounding of its numbers

    def box(self, unit: Unit) -> Box:
        """Bounding box of what reaches a unit."""
        across, down = (np.flatnonzero(axis) for axis in self.touched[unit])
        if not len(across):
            return Box(-1, -1, -1, -1)
        return Box(int(across[0]), int(across[-1]), int(down[0]), int(down[-1]))


class NotMeasuredError(ValueError):
    """The network has no gradients: what is measured with them is not known."""


_NO_GRADIENT = "its output has no gradient with respect to the image."


def ends_of(field: ReceptiveField, axis: int, unit: int) -> tuple[float, float]:
    """First and last pixel that a unit sees along an axis."""
    center, reach = field.offset[axis] + unit * field.stride[axis], (field.size[axis] - 1) / 2
    return center - reach, center + reach


def unreached(network: Network, layer: str, unit: Unit) -> ValueError:
    return ValueError(
        f"No pixel reaches unit {unit} of layer {layer!r} of {network.name!r} except through the "
        "whole image."
    )


def _units_to_measure(map_size: tuple[int, int]) -> list[Unit]:
    """A run of units across the diagonal, which would show columns taken for rows; corners."""
    columns, rows = map_size
    run = range(-6, 7)
    units = [
        (columns // 2 + k, rows // 2 - k)
        for k in run
        if 0 <= columns // 2 + k < columns and 0 <= rows // 2 - k < rows
    ]
    for column, row in ((0, 0), (1, -1), (0, 1), (-1, -1), (-1, 0)):
        units.append((column % columns, row % rows))
    units += [(k * columns // 9, (9 - k) * rows // 10) for k in range(1, 9)]
    return list(dict.fromkeys(units))


def attempts(
    network: Network,
    layer: str,
    input_size: int,
    units: list[Unit] | None,
    *,
    forward_only: bool = True,
) -> Iterator[Footprints | ValueError]:
    """Measure with more and more effort: the module itself, more images, a copy in float64.

    One image is enough where all paths are opened; not so where a maximum hides in a script.

    Where no gradient can be taken, pixels are changed instead, unless that is not asked for.
    """
    failed = True
    half = any(p.dtype == torch.float16 for p in network.module.parameters())
    as_it_is = [] if half else [(False, 1), (False, 6)]
    for as_copy, n_images in [*as_it_is, (True, 6)]:
        try:
            found = _footprints(network, layer, input_size, units, n_images, as_copy)
            failed = False
            yield found
        except NotMeasuredError as error:
            yield error
        except ValueError as error:
            failed = False
            yield error
        except Exception as error:  # whatever a forward pass raises that was not made for this
            yield NotMeasuredError(f"{type(error).__name__}: {str(error).strip()[:200]}")
    if failed and forward_only:
        yield changed_footprints(network, layer, input_size, units)


def _footprints(
    network: Network,
    layer: str,
    input_size: int,
    units: list[Unit] | None,
    n_images: int,
    as_copy: bool,
) -> Footprints:
    measured = copy.copy(network)
    measured.precision = "float32"
    dtype = next((p.dtype for p in network.module.parameters()), torch.float32)
    if as_copy:
        measured, dtype = network.with_module(_positive(network.module)), torch.float64
    generator = torch.Generator("cpu").manual_seed(0)
    touched: dict[Unit, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}
    for number in range(n_images):
        shape = (1, network.n_channels, input_size, input_size)
        image = torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu")
        image = image.to(dtype if as_copy else torch.float32).to(measured.device).requires_grad_()
        pixels = image * 1  # a preprocess may write to what it is given
        with (
            # copies: what is saved for the way back may be written to on the way
            torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda saved: saved),
            FieldTracker(pixels, RULES, POINTWISE) as tracker,
            LocalPaths(tracker) as paths,
        ):
            inputs = measured._prepare(pixels)
            maps = measured.read_layer(inputs.to(dtype) if as_copy else inputs, layer)
        if not maps.requires_grad:
            raise NotMeasuredError(_NO_GRADIENT)
        map_size = (maps.shape[-1], maps.shape[-2])
        # channels of different weight: behind a normalisation over channels their sum is constant
        weights = 0.5 + torch.rand(
            maps.shape[1], generator=generator, dtype=torch.float64, device="cpu"
        )
        n_known = _count(touched)
        for unit in _units_to_measure(map_size) if units is None else units:
            seen = _reached(maps, unit, weights.to(maps), image)
            if seen is None:
                raise NotMeasuredError(_NO_GRADIENT)
            before = touched.get(unit, (False, False))
            touched[unit] = (seen[0] | before[0], seen[1] | before[1])
        if number and _count(touched) == n_known:
            break  # another image shows no other pixels
    if not any(columns.any() for columns, _ in touched.values()):
        raise unreached(network, layer, next(iter(touched)))
    return Footprints(touched, map_size, maps.shape[1], paths.held)


def _count(touched: dict[Unit, tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> int:
    return sum(int(columns.sum() + rows.sum()) for columns, rows in touched.values())


def _reached(
    maps: Tensor, unit: Unit, weights: Tensor, image: Tensor
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Pixel columns and rows that have a gradient at a unit; None where none was recorded."""
    reading = (maps[0, :, unit[1], unit[0]] * weights).sum()
    (gradient,) = torch.autograd.grad(reading, image, retain_graph=True, allow_unused=True)
    if gradient is None:
        return None
    seen = (gradient[0] != 0).any(dim=0)
    return seen.any(dim=0).cpu().numpy(), seen.any(dim=1).cpu().numpy()


def _positive(module: nn.Module) -> nn.Module:
    """Copy a module with positive weights whose sums over their inputs are about one."""
    with reading(module):  # no hooks and copies of other threads
        module = copy.deepcopy(module)
    module.to("cpu", torch.float64).requires_grad_(False)
    generator = torch.Generator("cpu").manual_seed(1)
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            draws = torch.rand(
                parameter.shape, generator=generator, dtype=torch.float64, device="cpu"
            )
            with torch.no_grad():
                parameter.copy_((0.5 + draws) / parameter[0].numel())
        else:
            with torch.no_grad():
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase):
            part.reset_running_stats()
    return module


@torch.no_grad()
def changed_footprints(
    network: Network, layer: str, input_size: int, units: list[Unit] | None
) -> Footprints:
    """Pixel columns and rows whose change changes units: two forward passes for each of them."""
    generator = torch.Generator("cpu").manual_seed(3)
    n_channels, n_at_once = network.n_channels, 8
    touched: dict[Unit, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}

    def read(images: Tensor) -> Tensor:
        return network.read_layer(network._prepare(images.to(network.device)), layer)

    for _ in range(2):
        shape = (2, n_channels, input_size, input_size)
        base, other = torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu")
        # batches of one size: the rounding of a product may depend on it
        usual = read(base.repeat(n_at_once, 1, 1, 1))
        map_size = (usual.shape[-1], usual.shape[-2])
        chosen = _units_to_measure(map_size) if units is None else units
        for axis in (0, 1):
            for start in range(0, input_size, n_at_once):
                images = base.repeat(n_at_once, 1, 1, 1)
                pixels = range(start, min(start + n_at_once, input_size))
                for row, pixel in enumerate(pixels):
                    where = (row, slice(None), *(() if axis else (slice(None),)), pixel)
                    images[where] = other[where[1:]]
                differs = (read(images) != usual).any(dim=1).cpu().numpy()
                for unit in chosen:
                    empty = tuple(np.zeros(input_size, dtype=bool) for _ in range(2))
                    seen = touched.setdefault(unit, (empty[0], empty[1]))[axis]
                    seen[pixels.start : pixels.stop] |= differs[: len(pixels), unit[1], unit[0]]
    if not any(columns.any() for columns, _ in touched.values()):
        raise unreached(network, layer, next(iter(touched)))
    return Footprints(touched, map_size, usual.shape[1], False, complete=False)
