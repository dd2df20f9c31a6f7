"""Where in the image a unit of a layer looks: stride, offset and size, read off the operations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from ._network import Network


class AxisField(NamedTuple):
    """Pixels that unit 0 of one axis sees, ``first ... last``, and the step to the next unit."""

    first: float
    last: float
    stride: float


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
        Side of a unit's receptive field in pixels.
    map_size : tuple of int
        Number of units of the layer's map.
    n_channels : int
        Number of the layer's channels.
    input_size : int
        Side of the image in pixels.
    """

    stride: tuple[float, float]
    offset: tuple[float, float]
    size: tuple[int, int]
    map_size: tuple[int, int]
    n_channels: int
    input_size: int

    def to_units(self, positions: Tensor) -> Tensor:
        """Map pixel positions from the image centre, (..., 2), to fractional unit indices."""
        centre = (self.input_size - 1) / 2
        offset, stride = positions.new_tensor(self.offset), positions.new_tensor(self.stride)
        return (positions + centre - offset) / stride

    def interior_radius(self) -> float:
        """Radius in pixels of the largest centred disk whose readings see no padding.

        A continuous position is read from the four units around it; the fields of all four lie
        inside the image. Where fields are about as large as the image there is no such disk, and
        the largest one within the layer's map is returned instead: its readings see padding.
        """
        centre = (self.input_size - 1) / 2
        radius, on_map = [], []
        for stride, offset, size, n_units in zip(
            self.stride, self.offset, self.size, self.map_size, strict=True
        ):
            centres = [offset + k * stride for k in range(n_units)]
            on_map.append(min(centre - centres[0], centres[-1] - centre))
            reach = (size - 1) / 2
            seeing = [c for c in centres if c - reach >= 0 and c + reach <= self.input_size - 1]
            if seeing:
                radius.append(min(centre - seeing[0], seeing[-1] - centre))
        if len(radius) == 2 and min(radius) > 0:
            return min(radius)
        return max(min(on_map), 0.0)


def receptive_field(
    network: Network, layer: str | None = None, input_size: int | None = None
) -> ReceptiveField:
    """Derive stride, offset and size of a layer's receptive fields.

    The network runs once without data (on the ``meta`` device) while every operation is watched:
    convolutions, pools and paddings widen and shift the field, concatenations and sums unite it.

    Parameters
    ----------
    network : Network
    layer : str, optional
        Default: the network's default layer.
    input_size : int, optional
        Side of the image in pixels. Default: the network's.

    Returns
    -------
    field : ReceptiveField

    Raises
    ------
    ValueError
        If an operation on the way mixes all positions, so that units have no place in the image.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import Network, receptive_field
    >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 7, stride=2, padding=3))
    >>> field = receptive_field(Network(module, input_size=32), "0")
    >>> field.stride, field.offset, field.size
    ((2.0, 2.0), (0.0, 0.0), (7, 7))
    """
    size = network.input_size if input_size is None else int(input_size)
    layer = network.check_layer(layer)
    on_meta = Network(copy.deepcopy(network.module).to("meta"), name=network.name)
    image = torch.empty(1, 3, size, size, device="meta")
    with torch.no_grad(), _FieldTracker(image) as tracker:
        output = on_meta.read_layer(image, layer)
    field = tracker.fields.get(output)
    if field is None:
        raise ValueError(
            f"Layer {layer!r} of {network.name!r} has no place in the image: "
            f"{tracker.lost_at or 'an operation on the way'} mixes all positions."
        )
    column, row = field
    return ReceptiveField(
        stride=(column.stride, row.stride),
        offset=((column.first + column.last) / 2, (row.first + row.last) / 2),
        size=(round(column.last - column.first) + 1, round(row.last - row.first) + 1),
        map_size=(output.shape[-1], output.shape[-2]),
        n_channels=output.shape[1],
        input_size=size,
    )


Field = tuple[AxisField, AxisField]  # columns, rows


class _FieldTracker(TorchDispatchMode):
    """Follows the receptive field through every operation of a forward pass."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.fields: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        start = AxisField(0.0, 0.0, 1.0)
        self.fields[image] = (start, start)
        self.lost_at: str | None = None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        inputs = [a for a in _tensors(args) if a in self.fields]
        if not inputs:
            return result
        if any(self.fields[a] is None for a in inputs):
            # what mixes all positions stays mixed, also as the gate of a product
            for output in _tensors([result] if isinstance(result, Tensor) else result):
                self.fields[output] = None
            return result
        rule = _RULES.get(func.overloadpacket.__name__, _pointwise)
        for output in _tensors([result] if isinstance(result, Tensor) else result):
            field = rule(args, [self.fields[a] for a in inputs], inputs, output)
            if field is None:
                self.lost_at = self.lost_at or str(func)
            self.fields[output] = field
        return result


def _tensors(values: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found.extend(_tensors(value))
    return found


def _pair(value: Any) -> tuple[Any, Any]:
    """(column, row) from torch's (row, column), an integer or a list of one."""
    if isinstance(value, list | tuple):
        return (value[-1], value[0]) if len(value) else (1, 1)
    return value, value


def _widen(field: Field, kernel: Any, stride: Any, padding: Any, dilation: Any = 1) -> Field:
    axes = []
    for axis, k, s, p, d in zip(
        field, _pair(kernel), _pair(stride), _pair(padding), _pair(dilation), strict=True
    ):
        first = axis.first - p * axis.stride
        last = axis.last + ((k - 1) * d - p) * axis.stride
        axes.append(AxisField(first, last, axis.stride * s))
    return axes[0], axes[1]


def _convolution(
    args: Sequence[Any], fields: list[Field], inputs: list[Tensor], output: Tensor
) -> Field | None:
    _, weight, _, stride, padding, dilation, transposed, *_ = args
    if transposed or output.ndim != 4:
        return None
    return _widen(fields[0], list(weight.shape[2:]), stride, padding, dilation)


def _pool(
    args: Sequence[Any], fields: list[Field], inputs: list[Tensor], output: Tensor
) -> Field | None:
    kernel = args[1]
    stride = args[2] if len(args) > 2 and args[2] else kernel
    padding = args[3] if len(args) > 3 else 0
    # maximum pools have their dilation where average pools have a flag
    dilation = args[4] if len(args) > 4 and not isinstance(args[4], bool) else 1
    if len(kernel) == 3:  # local response normalisation pools over channels as depth
        if tuple(kernel[1:]) != (1, 1):
            return None
        return fields[0]
    return _widen(fields[0], kernel, stride, padding, dilation)


def _pad(
    args: Sequence[Any], fields: list[Field], inputs: list[Tensor], output: Tensor
) -> Field | None:
    left, _, top, _ = (*args[1], 0, 0, 0, 0)[:4]
    column, row = fields[0]
    return (
        AxisField(
            column.first - left * column.stride, column.last - left * column.stride, column.stride
        ),
        AxisField(row.first - top * row.stride, row.last - top * row.stride, row.stride),
    )


def _mixes(
    args: Sequence[Any], fields: list[Field], inputs: list[Tensor], output: Tensor
) -> Field | None:
    return None


def _pointwise(
    args: Sequence[Any], fields: list[Field], inputs: list[Tensor], output: Tensor
) -> Field | None:
    """Unite the fields of inputs whose last two axes are the map that comes out."""
    shape = output.shape[-2:]
    if output.ndim < 3 or any(tensor.shape[-2:] != shape for tensor in inputs):
        return None
    united = []
    for axes in zip(*fields, strict=True):
        if len({axis.stride for axis in axes}) > 1:
            return None
        first, last = min(a.first for a in axes), max(a.last for a in axes)
        united.append(AxisField(first, last, axes[0].stride))
    return united[0], united[1]


_Rule = Callable[[Sequence[Any], list[Field], list[Tensor], Tensor], Field | None]
_RULES: dict[str, _Rule] = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _pool,
    "max_pool2d": _pool,
    "avg_pool2d": _pool,
    "avg_pool3d": _pool,
    "constant_pad_nd": _pad,
    "reflection_pad2d": _pad,
    "replication_pad2d": _pad,
    **dict.fromkeys(
        [
            "mm",
            "bmm",
            "addmm",
            "matmul",
            "mean",
            "sum",
            "_softmax",
            "native_layer_norm",
            "flip",
            "roll",
            "transpose",
            "permute",
            "_fft_r2c",
            "_fft_c2c",
            "grid_sampler_2d",
        ],
        _mixes,
    ),
}
