"""Which pixels reach a unit, measured with gradients: a second opinion on receptive fields."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ._network import Network
from ._receptive_field import ReceptiveField


class Box(NamedTuple):
    """First and last pixel column, first and last pixel row."""

    left: int
    right: int
    top: int
    bottom: int


def confirm_receptive_field(
    network: Network, layer: str | None, field: ReceptiveField
) -> dict[tuple[int, int], Box]:
    """Compare a derived receptive field with the pixels that gradients reach.

    Gradients run back from three units, the first, the middle and the last of the map's diagonal.
    No pixel outside a unit's field may have one, and where the field ends inside the image, so
    must the pixels that have one. A copy of the module is used, with weights that make every path
    visible: positive, so that gradients neither cancel nor die in a ReLU. Maxima pass gradients to
    all that they compare. What comes through `ReceptiveField.global_context` is held constant: the
    gates, the keys and values of attention, the statistics over positions.

    Parameters
    ----------
    network : Network
    layer : str or None
    field : ReceptiveField
        Of that layer; its `input_size` is the side of the image.

    Returns
    -------
    footprints : dict of (column, row) to Box
        Pixels that reach each unit, both ends included.

    Raises
    ------
    ValueError
        If they disagree; the message names the unit and both boxes.

    Examples
    --------
    >>> from sklearn_groupcross import load_network, receptive_field
    >>> from sklearn_groupcross.networks import confirm_receptive_field
    >>> network = load_network("bundled")
    >>> footprints = confirm_receptive_field(network, "relu2", receptive_field(network, "relu2"))
    >>> footprints[24, 24]
    Box(left=41, right=55, top=41, bottom=55)
    """
    columns, rows = field.map_size
    units = [(0, 0), (columns // 2, rows // 2), (columns - 1, rows - 1)]
    footprints = gradient_footprints(network, layer, field.input_size, units)
    for unit, found in footprints.items():
        expected = []
        for k, stride, offset, size in zip(
            unit, field.stride, field.offset, field.size, strict=True
        ):
            centre, reach = offset + k * stride, (size - 1) / 2
            expected += [centre - reach, centre + reach]
        if not _agree(found, expected, field.input_size):
            raise ValueError(
                f"The receptive field of layer {layer or network.default_layer!r} of "
                f"{network.name!r} is wrong: gradients of unit {unit} (column, row) reach pixels "
                f"{_as_text(found)}; its field is derived as {_as_text(expected)}. Some operation "
                "on the way moves or mixes positions in a way that is not known. Read a layer "
                "before it."
            )
    return footprints


def _agree(found: Box, expected: list[float], size: int) -> bool:
    for pixel, edge, inwards in zip(found, expected, (1, -1, 1, -1), strict=True):
        # an edge outside the image may have gaps at the border, as behind strides that skip pixels
        inside = 0 <= edge <= size - 1
        if (inside and pixel != edge) or (not inside and (pixel - edge) * inwards < 0):
            return False
    return True


def _as_text(box: Box | list[float]) -> str:
    left, right, top, bottom = box
    return f"{left:g} to {right:g} along columns and {top:g} to {bottom:g} along rows"


def gradient_footprints(
    network: Network, layer: str | None, input_size: int, units: list[tuple[int, int]]
) -> dict[tuple[int, int], Box]:
    """Bounding boxes of the pixels that have a gradient at some units, given as (column, row).

    Raises
    ------
    ValueError
        If no pixel reaches a unit.
    """
    # float64: far from a field's centre gradients fall by orders of magnitude with every layer
    positive = network.with_module(_positive(network.module))
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, input_size, input_size, generator=generator, dtype=torch.float64)
    image.requires_grad_()
    with torch.enable_grad(), _LocalPaths():
        maps = positive.read_layer(image, layer)
    # channels of different weight: behind a normalisation over channels their plain sum is constant
    weights = 0.5 + torch.rand(maps.shape[1], generator=generator, dtype=torch.float64)
    footprints = {}
    for column, row in units:
        reading = (maps[0, :, row, column] * weights).sum()
        (gradient,) = torch.autograd.grad(reading, image, retain_graph=True)
        touched = (gradient[0] != 0).any(dim=0)
        if not touched.any():
            raise ValueError(
                f"No pixel reaches unit {(column, row)} of layer {layer or network.default_layer!r}"
                f" of {network.name!r} except through the whole image."
            )
        across, down = touched.any(dim=0).nonzero()[:, 0], touched.any(dim=1).nonzero()[:, 0]
        footprints[column, row] = Box(int(across[0]), int(across[-1]), int(down[0]), int(down[-1]))
    return footprints


def _positive(module: nn.Module) -> nn.Module:
    """Copy a module with positive weights whose sums over their inputs are about one."""
    module = copy.deepcopy(module).to("cpu", torch.float64).requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            draws = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_((0.5 + draws) / parameter[0].numel())
        else:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase):
            part.reset_running_stats()
    return module


class _LocalPaths(TorchFunctionMode):
    """Lets gradients pass to all that reaches a unit from its own place, and to nothing else."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name in ("matmul", "__matmul__", "bmm", "baddbmm", "einsum"):
            return func(*_first_of_product(args), **kwargs)
        if name == "scaled_dot_product_attention":
            query, key, value, *others = args
            return func(query, key.detach(), value.detach(), *others, **kwargs)
        if name == "multi_head_attention_forward":
            # one object for key and value: that is how it knows that they are the same
            query, key, value, *others = args
            fixed = key.detach()
            return func(query, fixed, fixed if value is key else value.detach(), *others, **kwargs)
        result = func(*args, **kwargs)
        if name in _MAXIMUM_POOLS and isinstance(result, Tensor) and result.requires_grad:
            return _same_value(result, _sum_pool(args, kwargs, result))
        if name in ("group_norm", "instance_norm") and result.requires_grad:
            return _same_value(result, args[0])
        if name in _SUMMARIES and _is_summary(args[0], result):
            return result.detach()
        return result


_MAXIMUM_POOLS = ("max_pool2d", "_max_pool2d")
_SUMMARIES = (
    "mean",
    "sum",
    "amax",
    "norm",
    "vector_norm",
    "linalg_vector_norm",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
)


def _same_value(result: Tensor, path: Tensor) -> Tensor:
    """Return the value of one tensor with the gradients of another."""
    return result.detach() + (path - path.detach())


def _first_of_product(args: Any) -> Any:
    """Hold the second factor constant where both come from the image, as keys and values do."""
    if len(args) > 1 and all(isinstance(a, Tensor) and a.requires_grad for a in args[-2:]):
        return (*args[:-1], args[-1].detach())
    return args


def _is_summary(inputs: Any, result: Any) -> bool:
    """Whether rows and columns are gone: both reduced, of a map with its channels first or last."""
    if not isinstance(inputs, Tensor) or not isinstance(result, Tensor) or inputs.ndim != 4:
        return False
    if result.ndim < 3:
        return True
    return result.ndim == 4 and any(
        [result.shape[a] for a in pair] == [1, 1] != [inputs.shape[a] for a in pair]
        for pair in ((-2, -1), (1, 2))
    )


def _sum_pool(args: Any, kwargs: dict[str, Any], result: Tensor) -> Tensor:
    """Sum where a maximum pool compares: `max_pool2d` of torch, its arguments as it takes them."""
    names = ("input", "kernel_size", "stride", "padding", "dilation")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    x = given["input"]
    kernel, padding, dilation = (
        [value] * 2 if isinstance(value, int) else list(value)
        for value in (given["kernel_size"], given.get("padding", 0), given.get("dilation", 1))
    )
    stride = given.get("stride") or kernel
    stride = [stride] * 2 if isinstance(stride, int) else list(stride)
    # rounding up makes windows that begin inside the image and end behind its padding
    behind = [
        max(0, (result.shape[2 + a] - 1) * stride[a] + (kernel[a] - 1) * dilation[a] + 1
            - x.shape[2 + a] - padding[a])
        for a in (0, 1)
    ]  # fmt: skip
    padded = F.pad(x, (padding[1], behind[1], padding[0], behind[0]))
    pooled = F.conv2d(
        padded.flatten(0, 1)[:, None], x.new_ones(1, 1, *kernel), stride=stride, dilation=dilation
    )
    return pooled[:, 0, : result.shape[2], : result.shape[3]].reshape(result.shape)
