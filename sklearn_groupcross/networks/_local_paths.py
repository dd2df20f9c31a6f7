"""Gradients that show all pixels which reach a unit from its own place, whatever the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ._places import Nowhere, Place, tensors
from ._shape_rules import from_end
from ._tracking import FieldTracker


class LocalPaths(TorchFunctionMode):
    """Opens every path from the image to a unit to gradients, and closes those of the whole image.

    Weights that are not zero count as positive numbers, activations as the identity, and a maximum
    as a sum: so nothing cancels, dies in a ReLU or loses to a neighbour. Gradients are recorded
    where a module switches them off. What carries something of the whole image is held constant.

    Parameters
    ----------
    tracker : FieldTracker
        Watches the same pass; it says which tensors are no longer local.

    Attributes
    ----------
    held : bool
        Whether something of the whole image was held constant.
    """

    def __init__(self, tracker: FieldTracker) -> None:
        super().__init__()
        self._state = tracker.state
        self._generator = torch.Generator().manual_seed(2)
        self.held = False

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name == "_set_grad_enabled":
            return None
        if name == "detach" or func == torch.Tensor.data.__get__:  # type: ignore[attr-defined]
            return args[0].view_as(args[0]) if args[0].is_floating_point() else func(*args)
        if name in ("numpy", "__array__"):
            return func(args[0].detach(), *args[1:], **kwargs)
        args, kwargs = self._without_context(name, args, kwargs)
        if name in _WEIGHTED:
            args = self._with_positive_weights(args)
        elif name in ("mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply"):
            args = tuple(_without_zeros(a) if isinstance(a, nn.Parameter) else a for a in args)
        x = args[0] if args else kwargs.get("input")
        if name in _ACTIVATIONS and isinstance(x, Tensor):
            x = x.clone()  # it may be overwritten
        result = func(*args, **kwargs)
        if name in _PARTITIONS and isinstance(x, Tensor):
            return _as_slices(x, result, from_end(kwargs.get("dim", _dim(name, args)), x))
        if not isinstance(result, Tensor) or not result.requires_grad:
            return result
        return self._opened(name, x, args, kwargs, result)

    def _opened(
        self, name: str, x: Any, args: Any, kwargs: dict[str, Any], result: Tensor
    ) -> Tensor:
        if name in _MAXIMUM_POOLS:
            return _same_value(result, _sum_pool(args, kwargs, result))
        if not isinstance(x, Tensor):
            return result
        if name in _SUMMARIES and _is_summary(x, result):
            self.held = True
            return result.detach()
        if name in _ACTIVATIONS or name in _NORMALIZATIONS:
            # where they take statistics over positions, the tracker may not have followed them
            self.held |= name in ("group_norm", "instance_norm")
            return _same_value(result, x) if x.shape == result.shape else result
        if name in ("softmax", "log_softmax"):
            place, dim = self._state(x), kwargs.get("dim", args[1] if len(args) > 1 else None)
            if isinstance(place, Place) and isinstance(dim, int) and from_end(dim, x) in place.axes:
                self.held = True
                return _same_value(result, x)
        return result

    def _without_context(
        self, name: str, args: Any, kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Hold constant what one unit learns of all others: gates, keys and values."""
        if name == "scaled_dot_product_attention":
            arguments = list(args) + [kwargs.pop(k) for k in _QKV[len(args) :]]
            query, key, value, *others = arguments
            self.held = True
            return (query, key.detach(), value.detach(), *others), kwargs
        if name == "multi_head_attention_forward":
            # one object for key and value: that is how it knows that they are the same
            query, key, value, *others = args
            fixed = key.detach()
            self.held = True
            return (query, fixed, fixed if value is key else value.detach(), *others), kwargs
        place = next((s for x in tensors(args) if isinstance(s := self._state(x), Place)), None)
        context = [
            x
            for x in tensors(args)
            if place is not None and isinstance(self._state(x), Nowhere)
            # one number for all units, or what weights them: else units differ in what they learn
            if name in _PRODUCTS or name in _WEIGHTED or max(place.extents(x)) == 1
        ]
        if context:
            self.held = True
            gone = {id(x) for x in context}
            args = _mapped(lambda x: x.detach() if id(x) in gone else x, args)
        elif name in _PRODUCTS:
            args = self._first_of_product(args)
        return args, kwargs

    def _first_of_product(self, args: Any) -> Any:
        """Hold the second factor constant where both come from the image, as keys and values do."""
        if len(args) < 2:
            return args
        left, right = args[-2:]
        a, b = self._state(left), self._state(right)
        if a is None or b is None:
            return args
        self.held = True
        by_channel = isinstance(b, Place) and b.axes == {-1}
        if by_channel and not (isinstance(a, Place) and a.axes == {-2}):
            left = left.detach()
        else:
            right = right.detach()
        return (*args[:-2], left, right)

    def _with_positive_weights(self, args: Any) -> Any:
        if len(args) < 2 or not isinstance(args[1], Tensor) or self._state(args[1]) is not None:
            return args
        weight = args[1]
        pattern = (weight != 0).to(weight.dtype)
        if not pattern.any():  # a layer that begins at zero
            pattern = torch.ones_like(pattern)
        draws = torch.rand(
            weight.shape, generator=self._generator, dtype=torch.float32, device="cpu"
        )
        positive = pattern * (0.5 + draws.to(weight.device, weight.dtype))
        return (args[0], positive / max(weight[0].numel(), 1), *args[2:])


_PRODUCTS = ("matmul", "__matmul__", "bmm", "baddbmm", "einsum")
_WEIGHTED = ("conv2d", "conv_transpose2d", "linear")
_MAXIMUM_POOLS = ("max_pool2d", "_max_pool2d")
_NORMALIZATIONS = ("batch_norm", "group_norm", "instance_norm", "layer_norm")
_ACTIVATIONS = (
    "relu", "relu_", "relu6", "hardtanh", "hardtanh_", "hardswish", "hardswish_", "hardsigmoid",
    "hardsigmoid_", "clamp", "clamp_", "clip", "clamp_min", "clamp_min_", "clamp_max", "threshold",
    "threshold_", "leaky_relu", "leaky_relu_", "elu", "elu_", "celu", "selu", "gelu", "silu",
    "silu_", "mish", "sigmoid", "sigmoid_", "tanh", "tanh_", "prelu", "hardshrink", "softshrink",
    "round", "floor", "ceil", "sign", "dropout", "softplus",
)  # fmt: skip
_QKV = ("query", "key", "value")
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


#: Where their arguments have the axis.
_PARTITIONS = {"chunk": 2, "split": 2, "split_with_sizes": 2, "tensor_split": 2, "unbind": 1}


def _dim(name: str, args: Any) -> int:
    at = _PARTITIONS[name]
    return int(args[at]) if len(args) > at else 0


def _as_slices(x: Tensor, parts: Any, dim: int) -> Any:
    """Views that may be written to one by one, which those of one operation may not."""
    if parts and parts[0].ndim < x.ndim:
        return type(parts)(x.select(dim, index) for index in range(len(parts)))
    views, start = [], 0
    for part in parts:
        views.append(x.narrow(dim, start, part.shape[dim]))
        start += part.shape[dim]
    return type(parts)(views)


def _mapped(change: Callable[[Tensor], Tensor], values: Any) -> Any:
    if isinstance(values, Tensor):
        return change(values)
    if isinstance(values, list | tuple) and type(values) in (list, tuple):
        return type(values)(_mapped(change, value) for value in values)
    return values


def _same_value(result: Tensor, path: Tensor) -> Tensor:
    """Return the value of one tensor with the gradients of another."""
    return result.detach() + (path - path.detach()).to(result.dtype)


def _without_zeros(parameter: Tensor) -> Tensor:
    return torch.where(parameter == 0, torch.ones_like(parameter), parameter)


def _is_summary(inputs: Tensor, result: Tensor) -> bool:
    """Whether rows and columns are gone: both reduced, of a map with its channels first or last."""
    if inputs.ndim != 4:
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
    options = {**dict(zip(names, args, strict=False)), **kwargs}
    x = options["input"]
    kernel, padding, dilation = (
        [value] * 2 if isinstance(value, int) else list(value)
        for value in (options["kernel_size"], options.get("padding", 0), options.get("dilation", 1))
    )
    stride = options.get("stride") or kernel
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
