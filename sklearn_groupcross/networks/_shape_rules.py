"""How operations that only rearrange a tensor move the axes along which its units lie."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ._places import Place, Rule, State


def from_end(dim: int, tensor: Tensor) -> int:
    """Number of an axis, counted from the end: -1 is the last."""
    return dim if dim < 0 else dim - tensor.ndim


def remove_axes(place: Place, removed: Collection[int]) -> Place:
    """Renumber for a tensor without some axes, none of which holds units."""

    def moved(axis: int) -> int:
        return axis + sum(gone > axis for gone in removed)

    return replace(place, column_axis=moved(place.column_axis), row_axis=moved(place.row_axis))


def unsqueezed(place: Place, new: int) -> Place:
    """Renumber for a tensor with one more axis, which is then number `new` from the end."""

    def moved(axis: int) -> int:
        return axis if axis > new else axis - 1

    return replace(place, column_axis=moved(place.column_axis), row_axis=moved(place.row_axis))


def slice_of(args: Sequence[Any]) -> tuple[int, int, int, int]:
    """Axis from the end, first element, step and number of elements of a slice of torch."""
    x, arguments = args[0], list(args[1:])
    dim, start, end, step = arguments + [0, None, None, 1][len(arguments) :]
    axis = from_end(dim, x)
    elements = range(x.shape[axis])[start:end:step]
    return axis, elements.start, step, len(elements)


def _permuted(place: Place, order: Sequence[int]) -> Place:
    """Renumber for axes in another order: the new axis i is the old ``order[i]``, from the end."""
    new = {old: position - len(order) for position, old in enumerate(order)}
    return replace(place, column_axis=new[place.column_axis], row_axis=new[place.row_axis])


def _permute(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place = state(args[0])
    if not isinstance(place, Place):
        return None
    return _permuted(place, [from_end(dim, args[0]) for dim in args[1]])


def _transpose(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    x, place = args[0], state(args[0])
    if not isinstance(place, Place):
        return None
    order = [axis - x.ndim for axis in range(x.ndim)]
    first, second = args[1:3] if len(args) > 2 else (0, x.ndim - 1)  # aten.t has no axes
    order[first], order[second] = order[second], order[first]
    return _permuted(place, order)


def _unsqueeze(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place = state(args[0])
    if not isinstance(place, Place):
        return None
    return unsqueezed(place, from_end(args[1], output))


def _squeeze(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    x, place = args[0], state(args[0])
    asked = args[1] if len(args) > 1 else range(x.ndim)
    asked = [asked] if isinstance(asked, int) else asked
    removed = {axis for dim in asked if x.shape[axis := from_end(dim, x)] == 1}
    if not isinstance(place, Place) or removed & place.axes:
        return None
    return remove_axes(place, removed)


def _select(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    """Rule of select and unbind: one of the axes goes; one unit or token has no map."""
    place, axis = state(args[0]), from_end(args[1] if len(args) > 1 else 0, args[0])
    if not isinstance(place, Place) or axis in place.axes:
        return None
    return remove_axes(place, {axis})


def _split(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place, axis = state(args[0]), from_end(args[2] if len(args) > 2 else 0, args[0])
    return place if isinstance(place, Place) and axis not in place.axes else None


def _slice(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place = state(args[0])
    if not isinstance(place, Place):
        return None
    axis, start, step, _ = slice_of(args)
    if axis not in place.axes:
        return place
    if place.grid is not None:
        columns, rows = place.grid
        first = place.first_token - start
        whole = 0 <= first <= output.shape[axis] - columns * rows and step == 1
        return replace(place, first_token=first) if whole else None
    name = "column" if axis == place.column_axis else "row"
    return replace(place, **{name: getattr(place, name).shifted(start).strided(step)})


def _index(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    """Rule of indices that are numbers: channels in another order, or a slice of units."""
    x, indices = args
    axis = indexed_axis(x, indices, state)
    place = state(x)
    if axis is None or not isinstance(place, Place):
        return None
    if axis not in place.axes:
        return place
    chosen = next(i for i in indices if i is not None)
    if place.grid is not None or chosen.dtype in (torch.bool, torch.uint8) or not len(chosen):
        return None
    numbers = [int(i) % x.shape[axis] for i in chosen]
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    if step < 1 or numbers != list(range(numbers[0], numbers[0] + step * len(numbers), step)):
        return None
    name = "column" if axis == place.column_axis else "row"
    return replace(place, **{name: getattr(place, name).shifted(numbers[0]).strided(step)})


def indexed_axis(x: Tensor, indices: Sequence[Tensor | None], state: State) -> int | None:
    """The one axis, from the end, that a row of numbers is an index of; None for all else."""
    indexed = [(dim, i) for dim, i in enumerate(indices) if i is not None]
    if len(indexed) != 1 or indexed[0][1].ndim != 1 or state(indexed[0][1]) is not None:
        return None
    return indexed[0][0] - x.ndim


def _index_select(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    x, dim, chosen = args
    indices: list[Tensor | None] = [None] * (dim % x.ndim)
    return _index([x, [*indices, chosen]], state, output)


def _view(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    """Rule of view: axes may pass, rows and columns may join to tokens and part again."""
    x, place = args[0], state(args[0])
    if not isinstance(place, Place):
        return None
    if 1 in place.extents(x):  # an axis of one unit could be any axis of size one: it stays
        stays = output.ndim >= -min(place.axes) and place.extents(output) == place.extents(x)
        return place if stays and math.prod(place.extents(x)) == 1 else None
    for before, after in _groups(x.shape, output.shape):
        if not place.axes & set(before):
            continue
        if place.grid is None and before == [place.row_axis, place.column_axis] and len(after) == 1:
            grid = (x.shape[place.column_axis], x.shape[place.row_axis])
            return replace(place, column_axis=after[0], row_axis=after[0], grid=grid, first_token=0)
        if place.grid is not None and len(before) == 1 and len(after) == 2:
            row, column = after
            if place.first_token or place.grid != (output.shape[column], output.shape[row]):
                return None
            return replace(place, column_axis=column, row_axis=row, grid=None)
        if len(before) > 1 or len(after) > 1:
            return None
    new = {b[0]: a[0] for b, a in _groups(x.shape, output.shape) if len(b) == len(a) == 1}
    return replace(place, column_axis=new[place.column_axis], row_axis=new[place.row_axis])


def _groups(before: Iterable[int], after: Iterable[int]) -> list[tuple[list[int], list[int]]]:
    """Split two shapes of one size into the shortest runs of axes that hold the same elements.

    Axes count from the end; those of size 1 are left out.
    """
    old, new = (
        [(axis - len(shape), size) for axis, size in enumerate(shape) if size != 1]
        for shape in (list(before), list(after))
    )
    groups = []
    while old and new:
        left, right = [old.pop(0)], [new.pop(0)]
        while (a := math.prod(s for _, s in left)) != (b := math.prod(s for _, s in right)):
            if a < b:
                left.append(old.pop(0))
            else:
                right.append(new.pop(0))
        groups.append(([axis for axis, _ in left], [axis for axis, _ in right]))
    return groups


SHAPE_RULES: dict[str, Rule] = {
    **dict.fromkeys(["view", "_unsafe_view", "reshape", "_reshape_alias", "view_copy"], _view),
    "permute": _permute,
    **dict.fromkeys(["transpose", "t"], _transpose),
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    **dict.fromkeys(["select", "unbind"], _select),
    **dict.fromkeys(["split", "split_with_sizes"], _split),
    "slice": _slice,
    "index": _index,
    "index_select": _index_select,
}
