"""What a write to a part of a tensor does to the whole: slices, channels, borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ._places import AxisField, Nowhere, Place, Rule, State, View, unite
from ._shape_rules import from_end, indexed_axis, slice_of, unsqueezed

#: Operations that write no more than numbers: what lies beside them stays as it is.
CONSTANTS = ("fill_", "zero_")
_WRITE = "a write to a part of a tensor"
_ELSEWHERE = (
    "a write to a part of a tensor from far away, such as circular padding behind a layer that "
    "leaves out the image's border,"
)


def written(
    view: View,
    part: Tensor,
    new: Place | Nowhere | None,
    old: Place | Nowhere | None,
    whole: Place | Nowhere | None,
    image_size: tuple[int, int] | None,
) -> Place | Nowhere | None:
    """Place of a tensor once a view of it has been written to.

    Parameters
    ----------
    view : View
        How the part was taken from the whole.
    part : Tensor
    new, old : Place, Nowhere or None
        Of the part, now and before.
    whole : Place, Nowhere or None
        Of the whole, before.
    image_size : tuple of int or None
        (width, height) in pixels; None where it is not known, and with it what lies outside.
    """
    if isinstance(whole, Nowhere):
        return whole
    if not isinstance(new, Place):
        return whole if new is None else new
    lifted = _lift(view, new, old, whole)
    if lifted is None:
        return Nowhere(_WRITE)
    place, units = lifted
    if whole is None or part.numel() == view.parent.numel():
        return place
    if place.layout != whole.layout:
        return Nowhere(_WRITE)
    for name, size in zip(("column", "row"), image_size or (None, None), strict=True):
        axis, beside = getattr(place, name), getattr(whole, name)
        step = axis.first - beside.first
        if name not in units or abs(step) < len(units[name]) * axis.stride:
            continue
        moved = beside._replace(first=axis.first, last=beside.last + step, wrap=axis.wrap)
        if size is None or not _is_outside(beside, units[name], size) or axis != moved:
            return Nowhere(_ELSEWHERE)
        # circular padding: what lies outside the image is looked for on its other side
        around = beside._replace(wrap=abs(step))
        place, whole = replace(place, **{name: around}), replace(whole, **{name: around})
    return unite([whole, place]) or Nowhere(_WRITE)


def _is_outside(axis: AxisField, units: range, size: int) -> bool:
    """Whether units are centred beside the image."""
    centers = [sum(axis.shifted(k)[:2]) / 2 for k in (units[0], units[-1])]
    return max(centers) < 0 or min(centers) > size - 1


def _lift(
    view: View, new: Place, old: Place | Nowhere | None, whole: Place | None
) -> tuple[Place, dict[str, range]] | None:
    """Place of the part in the whole's axes, and which of the whole's units it has, if not all."""
    if view.operation == "slice":
        axis, start, step, count = slice_of(view.args)
        if axis not in new.axes:
            return new, {}
        if step != 1 or not count:
            return None
        if new.grid is not None:
            return replace(new, first_token=new.first_token + start), {}
        name = "column" if axis == new.column_axis else "row"
        moved = replace(new, **{name: getattr(new, name).shifted(-start)})
        return moved, {name: range(start, start + count)}
    if view.operation in ("split", "split_with_sizes"):
        axis = from_end(view.args[2] if len(view.args) > 2 else 0, view.parent)
        return None if axis in new.axes else (new, {})
    if view.operation in ("select", "unbind"):
        axis = from_end(view.args[1] if len(view.args) > 1 else 0, view.parent)
        return unsqueezed(new, axis), {}
    if isinstance(old, Place) and whole is not None and old.layout == new.layout:
        # the same elements in another arrangement
        context = new.global_context
        return replace(whole, column=new.column, row=new.row, global_context=context), {}
    return (new, {}) if view.operation in ("alias", "detach") else None


def _copy(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    source = state(args[1])
    if source is None:  # numbers: what was known holds
        kept = state(args[0])
        return kept if isinstance(kept, Place) else None
    fits = isinstance(source, Place) and source.extents(args[1]) == source.extents(output)
    return source if fits else None  # type: ignore[return-value]


def _slice_scatter(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    x, part, *where = args
    view = View(x, "slice", (x, *where))
    whole = state(x)
    found = written(view, part, state(part), None, whole, None)
    return found if isinstance(found, Place) else None


def _index_put(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    x, indices, values = args[:3]
    whole, part = state(x), state(values)
    axis = indexed_axis(x, indices, state)
    if part is None:
        return whole if isinstance(whole, Place) and axis is not None else None
    if axis is None or not isinstance(part, Place) or axis in part.axes:
        return None
    if part.extents(values) != part.extents(output):
        return None
    if whole is None:
        return part
    return (
        unite([whole, part]) if isinstance(whole, Place) and whole.layout == part.layout else None
    )


WRITE_RULES: dict[str, Rule] = {
    "copy_": _copy,
    "copy": _copy,
    "slice_scatter": _slice_scatter,
    "index_put": _index_put,
    "index_put_": _index_put,
}
