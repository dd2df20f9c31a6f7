"""How operations that compute move a receptive field: convolutions, pools, sums, attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ._places import Nowhere, Place, Rule, State, tensors, unite
from ._resampling_rules import RESAMPLING_RULES, place_of_map, transposed_axis
from ._shape_rules import SHAPE_RULES, from_end, remove_axes, unsqueezed
from ._write_rules import WRITE_RULES


def _pair(value: Any) -> tuple[Any, Any]:
    """(column, row) from torch's (row, column), an integer or a list of one."""
    if isinstance(value, list | tuple):
        return (value[-1], value[0]) if len(value) else (1, 1)
    return value, value


def _widen(place: Place, kernel: Any, stride: Any, padding: Any, dilation: Any = 1) -> Place:
    axes = []
    for axis, k, s, p, d in zip(
        (place.column, place.row),
        *map(_pair, (kernel, stride, padding, dilation)),
        strict=True,
    ):
        first = axis.first - p * axis.stride
        last = axis.last + ((k - 1) * d - p) * axis.stride
        axes.append(axis._replace(first=first, last=last).strided(s))
    return replace(place, column=axes[0], row=axes[1])


def _convolution(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    x, weight, _, stride, padding, dilation, transposed, *_ = args
    place, kernel = place_of_map(state, x), list(weight.shape[2:])
    if place is None or output.ndim != 4:
        return None
    # kernels that are computed from the image carry its context
    context = place.global_context or state(weight) is not None
    if not transposed:
        place = _widen(place, kernel, stride, padding, dilation)
        return replace(place, global_context=context)
    settings = zip(*map(_pair, (kernel, stride, padding, dilation)), strict=True)
    column, row = (
        transposed_axis(axis, *numbers)
        for axis, numbers in zip((place.column, place.row), settings, strict=True)
    )
    return replace(place, column=column, row=row, global_context=context)


def _pool(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place, kernel = place_of_map(state, args[0]), args[1]
    if place is None:
        return None
    stride = args[2] if len(args) > 2 and args[2] else kernel
    padding = args[3] if len(args) > 3 else 0
    # maximum pools have their dilation where average pools have a flag
    dilation = args[4] if len(args) > 4 and not isinstance(args[4], bool) else 1
    if len(kernel) == 3:  # local response normalisation pools over channels as depth
        return place if tuple(kernel[1:]) == (1, 1) else None
    return _widen(place, kernel, stride, padding, dilation)


def _adaptive_pool(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place, before, after = place_of_map(state, args[0]), args[0].shape[-2:], output.shape[-2:]
    if place is None or tuple(before) == tuple(after):
        return place
    # cells of one size tile the map; a single cell is the whole image, which is no place
    if max(after) == 1 or any(b % a for b, a in zip(before, after, strict=True)):
        return None
    cell = [b // a for b, a in zip(before, after, strict=True)]
    return _widen(place, cell, cell, 0)


def _pad(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place, padding = state(args[0]), args[1]
    if not isinstance(place, Place):
        return None

    def before(axis: int) -> int:
        pair = 2 * (-axis - 1)
        return padding[pair] if pair < len(padding) else 0

    if place.grid is not None:
        first = place.first_token + before(place.column_axis)
        columns, rows = place.grid
        fits = 0 <= first <= output.shape[place.column_axis] - columns * rows
        return replace(place, first_token=first) if fits else None
    return replace(
        place,
        column=place.column.shifted(-before(place.column_axis)),
        row=place.row.shifted(-before(place.row_axis)),
    )


def _pointwise(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    """Unite the fields of the inputs, unit by unit; what is broadcast over the units gates them."""
    known = [(x, s) for x in tensors(args) if (s := state(x)) is not None]
    placed = [p for x, p in known if isinstance(p, Place) and p.extents(x) == p.extents(output)]
    if not placed or output.ndim < max(-axis for axis in placed[0].axes):
        return None
    main, united, context = placed[0], [], False
    for x, place in known:
        if isinstance(place, Place) and main.extents(x) == main.extents(output):
            if place.layout != main.layout:
                return None
            united.append(place)
        elif max(main.extents(x)) == 1:
            # one number for all units, as of squeeze-and-excite: they keep their places
            context = True
        else:
            return None
    union = unite(united)
    return union if union is None or not context else replace(union, global_context=True)


def _cat(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    parts, dim = args[0], from_end(args[1] if len(args) > 1 else 0, output)
    places = [state(part) for part in parts]
    along = [p for p in places if isinstance(p, Place) and dim in p.axes]
    if not along:
        return _pointwise(args, state, output)
    if along[0].grid is None:
        return _side_by_side(parts, places, dim)
    # class and register tokens beside the grid
    if len(along) > 1:
        return None
    index = places.index(along[0])
    before = sum(part.shape[dim] for part in parts[:index])
    context = along[0].global_context or sum(p is not None for p in places) > 1
    return replace(along[0], first_token=along[0].first_token + before, global_context=context)


def _side_by_side(
    parts: Sequence[Tensor], places: Sequence[Place | Nowhere | None], dim: int
) -> Place | None:
    """Units set beside one another: where each part goes on from the one before; or padding."""
    whole, start = None, 0
    for part, place in zip(parts, places, strict=True):
        if isinstance(place, Nowhere):
            return None
        if place is not None:
            name = "column" if dim == place.column_axis else "row"
            moved = replace(place, **{name: getattr(place, name).shifted(-start)})
            if whole is not None and moved != whole:
                return None
            whole = moved
        start += part.shape[dim]
    return whole


def _stack(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    # equal shapes, and a new axis: the union
    place = _pointwise(args, state, args[0][0])
    dim = from_end(args[1] if len(args) > 1 else 0, output)
    return None if place is None else unsqueezed(place, dim)


def _product(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    """Products of matrices: linear layers along channels, and attention."""
    *bias, left, right = [a for a in args if isinstance(a, Tensor)][:3]
    a, b = state(left), state(right)
    if any(state(x) is not None for x in bias) or min(left.ndim, right.ndim) < 2:
        return None
    if b is None:
        return a if isinstance(a, Place) and -1 not in a.axes else None
    if a is None:
        return b if isinstance(b, Place) and -2 not in b.axes else None
    # queries with keys, or weights with values: a token stays where its query is
    if isinstance(a, Place) and a.axes == {-2}:
        return replace(a, global_context=True)
    # channels with channels, weighted by the whole image: a token stays where it is
    if isinstance(b, Place) and b.axes == {-1} and (not isinstance(a, Place) or a.axes == {-1}):
        return replace(b, global_context=True)
    return None


def _attention(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place = state(args[0])
    if isinstance(place, Place) and place.axes == {-2} and output.ndim == args[0].ndim:
        return replace(place, global_context=True)
    return None


def _reduction(dims_at: int) -> Rule:
    def rule(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
        x, place = args[0], state(args[0])
        dims = args[dims_at] if len(args) > dims_at else None
        if not isinstance(place, Place) or dims is None or dims == [] or isinstance(dims, bool):
            return None
        reduced = {from_end(d, x) for d in (dims if isinstance(dims, list | tuple) else [dims])}
        if reduced & place.axes:
            return None
        return place if output.ndim == x.ndim else remove_axes(place, reduced)

    return rule


def _along(dims_at: int, *, mixes: bool) -> Rule:
    """Rule of operations along some axes: nowhere if units lie there, or they share a context."""

    def rule(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
        place = state(args[0])
        dims = args[dims_at] if len(args) > dims_at else -1
        if not isinstance(place, Place) or place.extents(args[0]) != place.extents(output):
            return None
        along = {from_end(d, args[0]) for d in (dims if isinstance(dims, list | tuple) else [dims])}
        if not along & place.axes:
            return place
        return None if mixes else replace(place, global_context=True)

    return rule


def _layer_norm(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place = _pointwise(args, state, output)
    if place is None:
        return None
    normalized = {-1 - axis for axis in range(len(args[1]))}
    return replace(place, global_context=place.global_context or bool(normalized & place.axes))


def _group_norm(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    # mean and variance are taken over all positions of the image
    place = _pointwise(args, state, output)
    return None if place is None else replace(place, global_context=True)


def _batch_norm(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place = _pointwise(args, state, output)
    if place is None:
        return None
    # the flag for statistics of the batch itself, as instance normalisation has them
    return replace(place, global_context=place.global_context or any(a is True for a in args[3:6]))


def _mixes(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    return None


POINTWISE: Rule = _pointwise
RULES: dict[str, Rule] = {
    **SHAPE_RULES,
    **RESAMPLING_RULES,
    **WRITE_RULES,
    **dict.fromkeys(["convolution", "_convolution"], _convolution),
    **dict.fromkeys(["max_pool2d_with_indices", "max_pool2d", "avg_pool2d", "avg_pool3d"], _pool),
    **dict.fromkeys(
        ["_adaptive_avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"], _adaptive_pool
    ),
    **dict.fromkeys(["constant_pad_nd", "reflection_pad2d", "replication_pad2d"], _pad),
    "cat": _cat,
    "stack": _stack,
    **dict.fromkeys(["mm", "bmm", "addmm", "baddbmm", "matmul"], _product),
    **dict.fromkeys(
        [
            "_scaled_dot_product_flash_attention_for_cpu",
            "_scaled_dot_product_flash_attention",
            "_scaled_dot_product_efficient_attention",
            "_scaled_dot_product_fused_attention_overrideable",
            "_scaled_dot_product_attention_math",
            "_native_multi_head_attention",
            "_transformer_encoder_layer_fwd",
        ],
        _attention,
    ),
    **dict.fromkeys(
        ["mean", "sum", "amax", "amin", "max", "min", "var", "std", "var_mean", "logsumexp"],
        _reduction(1),
    ),
    **dict.fromkeys(["linalg_vector_norm", "norm"], _reduction(2)),
    **dict.fromkeys(["_softmax", "_log_softmax"], _along(1, mixes=False)),
    **dict.fromkeys(
        ["cumsum", "cumprod", "logcumsumexp", "cummax", "cummin", "flip", "sort", "gather", "glu"],
        _along(1, mixes=True),
    ),
    **dict.fromkeys(["roll", "topk"], _along(2, mixes=True)),
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    **dict.fromkeys(
        ["native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit"], _batch_norm
    ),
    **dict.fromkeys(
        [
            "take", "rot90", "scatter", "scatter_", "scatter_add", "scatter_add_", "index_add",
            "index_add_", "index_copy", "index_copy_", "index_fill", "index_fill_",
            "masked_scatter", "masked_scatter_", "as_strided", "as_strided_", "unfold", "im2col",
            "col2im", "_fft_r2c", "_fft_c2c", "_fft_c2r", "grid_sampler_2d", "lstm", "gru",
        ],
        _mixes,
    ),
}  # fmt: skip
