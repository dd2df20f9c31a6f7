"""What operations do to parts of maps: which part they read for one of their output."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ._normalization import local_response_norm
from ._places import tensors
from ._window import Extent, Part

Cut = Callable[[Tensor], Tensor]


class DepartedError(Exception):
    """Raised where a module does other operations than were written down."""


class Whole:
    """An operation that reads all of every map, and whose output is computed as a whole."""

    def grown(self, part: Part) -> Part | None:
        """What is computed where a part of the output is needed; None for all of it."""
        return None

    def read(self, part: Part) -> Part | None:
        """The part of the maps that a part of the output is computed of; None for all of them."""
        return None

    def do(self, function: Any, args: Any, kwargs: dict[str, Any], cut: Cut, part: Part) -> Any:
        """Do it, to what `cut` leaves of maps, for a part of the output that `grown` gave."""
        return function(*args, **kwargs)


class Pointwise(Whole):
    """Each unit of the output is made of the same unit of the maps."""

    def grown(self, part: Part) -> Part | None:
        return part

    def read(self, part: Part) -> Part | None:
        return part

    def do(self, function: Any, args: Any, kwargs: dict[str, Any], cut: Cut, part: Part) -> Any:
        kwargs = {name: cut(v) if isinstance(v, Tensor) else v for name, v in kwargs.items()}
        return function(*(_each(value, cut) for value in args), **kwargs)


class InPlace(Pointwise):
    """Pointwise, and written to the first map, of which what is there stays as it is."""

    def do(self, function: Any, args: Any, kwargs: dict[str, Any], cut: Cut, part: Part) -> Any:
        first, *others = args
        return function(first, *(_each(value, cut) for value in others), **kwargs)


class _Axis(NamedTuple):
    """A convolution or pool along one axis, and the numbers of units before and behind it."""

    kernel: int
    stride: int
    padding: int
    dilation: int
    n_before: int
    n_behind: int

    def read(self, extent: Extent) -> Extent:
        first = extent[0] * self.stride - self.padding
        last = (extent[1] - 1) * self.stride - self.padding + (self.kernel - 1) * self.dilation
        return first, last + 1

    def sees_padding(self, extent: Extent) -> bool:
        first, stop = self.read(extent)
        return first < 0 or stop > self.n_before


class Windowed(Whole):
    """A convolution or a pool: without padding where no unit that is needed sees it.

    Parameters
    ----------
    settings : dict of str to object
        The arguments of the function by name.
    n_behind : (int, int)
        Rows and columns of its output.
    """

    def __init__(self, settings: dict[str, Any], n_behind: tuple[int, int]) -> None:
        self._numbers = _numbers(settings)
        n_before = settings["input"].shape[-2:]
        kernels, strides, paddings, dilations = self._numbers
        self._axes = [
            _Axis(kernels[i], strides[i], paddings[i], dilations[i], n_before[i], n_behind[i])
            for i in (0, 1)
        ]

    def grown(self, part: Part) -> Part | None:
        rows, columns = (
            (0, axis.n_behind) if axis.sees_padding(extent) else extent
            for axis, extent in zip(self._axes, part, strict=True)
        )
        return rows, columns

    def read(self, part: Part) -> Part | None:
        rows, columns = (
            (0, axis.n_before) if axis.sees_padding(extent) else axis.read(extent)
            for axis, extent in zip(self._axes, part, strict=True)
        )
        return rows, columns

    def do(self, function: Any, args: Any, kwargs: dict[str, Any], cut: Cut, part: Part) -> Any:
        settings = _settings(function, args, kwargs)
        if _numbers(settings) != self._numbers:
            raise DepartedError
        padding = tuple(
            axis.padding if axis.sees_padding(extent) else 0
            for axis, extent in zip(self._axes, part, strict=True)
        )
        return function(cut(settings.pop("input")), **{**settings, "padding": padding})


def kind_of(
    function: Any, args: Any, kwargs: dict[str, Any], is_map: Callable[[Any], bool], result: Any
) -> Whole:
    """Say what an operation does, after it was done to whole maps.

    Parameters
    ----------
    function : callable
        As `torch.overrides.TorchFunctionMode` tells it.
    args, kwargs
        Its arguments.
    is_map : callable
        Whether a value is a tensor that depends on the image.
    result
        What it returned.
    """
    if not isinstance(result, Tensor) or result.ndim != 4 or "out" in kwargs:
        return Whole()
    if function in _WINDOWS and args and is_map(args[0]) and args[0].ndim == 4:
        settings = _settings(function, args, kwargs)
        if isinstance(settings.get("padding"), str):  # "same" may be odd
            return Whole()
        return Windowed(settings, (result.shape[-2], result.shape[-1]))
    if function in _OF_FIRST or function in _POINTWISE:
        if kwargs.get("training", False):
            return Whole()
        others = tensors([*args[1:], *kwargs.values()])
        lie_alike = args and isinstance(args[0], Tensor) and _lies_like(args[0], result)
        if function in _POINTWISE:
            lie_alike = lie_alike or not isinstance(args[0], Tensor)
            lie_alike = lie_alike and all(_lies_like(x, result) for x in others)
        if not lie_alike:
            return Whole()
        if result is not args[0]:
            return Pointwise()
        return InPlace() if is_map(args[0]) else Whole()
    if function in _CONCATENATIONS and _along_channels(args, kwargs):
        return Pointwise()
    return Whole()


def _settings(function: Any, args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a convolution or pool by name."""
    return {**dict(zip(_WINDOWS[function], args, strict=False)), **kwargs}


def _numbers(settings: dict[str, Any]) -> list[tuple[int, int]]:
    """(rows, columns) of kernel, stride, padding and dilation."""
    if "weight" in settings:
        kernel, stride = tuple(settings["weight"].shape[-2:]), settings.get("stride", 1)
    else:  # pools go on by their size unless told otherwise
        kernel = settings["kernel_size"]
        stride = settings.get("stride") or kernel
    others = settings.get("padding", 0), settings.get("dilation", 1)
    return [_pair(number) for number in (kernel, stride, *others)]


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[-1]))


def _lies_like(tensor: Tensor, result: Tensor) -> bool:
    """Whether a tensor has the units of the result, or one number for all of them."""
    if tensor.ndim == 0:
        return True
    size = tensor.shape[-2:]
    return tensor.ndim > 1 and (size == result.shape[-2:] or math.prod(size) == 1)


def _along_channels(args: Any, kwargs: dict[str, Any]) -> bool:
    parts = tensors(args)
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    return dim in (1, -3) and all(x.ndim == 4 and _lies_like(x, parts[0]) for x in parts)


def _each(value: Any, cut: Cut) -> Any:
    if isinstance(value, list | tuple):
        return type(value)([_each(each, cut) for each in value])
    return cut(value) if isinstance(value, Tensor) else value


def _named(*owners: Any, names: str) -> set[Any]:
    """Functions of torch by name, of those that this release has."""
    return {getattr(o, name) for o in owners for name in names.split() if hasattr(o, name)}


_POOL = ("input", "kernel_size", "stride", "padding")
_WINDOWS: dict[Any, tuple[str, ...]] = {
    F.conv2d: ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    **dict.fromkeys(
        (F.max_pool2d, torch.max_pool2d),
        (*_POOL, "dilation", "ceil_mode", "return_indices"),
    ),
    F.avg_pool2d: (*_POOL, "ceil_mode", "count_include_pad", "divisor_override"),
}
_CONCATENATIONS = {torch.cat, torch.concat, torch.concatenate}
# Other arguments that are tensors have a number for each channel.
_OF_FIRST = {F.batch_norm, F.prelu, torch.prelu, F.local_response_norm, local_response_norm}
_POINTWISE = _named(
    F,
    torch,
    Tensor,
    names="relu relu_ relu6 leaky_relu leaky_relu_ elu elu_ selu selu_ celu celu_ gelu silu mish "
    "softplus softsign hardswish hardsigmoid hardtanh hardtanh_ threshold threshold_ "
    "sigmoid sigmoid_ tanh tanh_ exp log sqrt sqrt_ rsqrt rsqrt_ square abs neg pow clamp clamp_ "
    "add add_ sub sub_ mul mul_ div div_ true_divide maximum minimum where addcmul "
    "__add__ __radd__ __iadd__ __sub__ __rsub__ __isub__ __mul__ __rmul__ __imul__ "
    "__truediv__ __itruediv__ __pow__ __neg__ clone contiguous detach float type_as dropout",
)
#: What tells of a tensor nothing that a part does not have as well.
HARMLESS = _named(Tensor, names="dim is_floating_point is_complex get_device") | {
    getattr(Tensor, name).__get__
    for name in ("ndim", "dtype", "device", "is_cuda", "requires_grad", "layout", "is_mkldnn")
}
