"""What is known of a tensor while receptive fields are followed: where its units look."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from torch import Tensor


class AxisField(NamedTuple):
    """Pixels that unit 0 of one axis sees, ``first ... last``, and the step to the next unit.

    Behind upsampling neighbours look alike only every `period` units: ``first ... last`` is then
    what any of them may see. `wrap` is the number of pixels after which a circular padding goes on
    from the other side, 0 without one.
    """

    first: float
    last: float
    stride: float
    period: int = 1
    wrap: float = 0.0

    def shifted(self, units: float) -> AxisField:
        """Field once the unit that was number `units` is number 0."""
        step = units * self.stride
        return self._replace(first=self.first + step, last=self.last + step)

    def strided(self, step: int) -> AxisField:
        """Field of every unit whose number is a multiple of `step`."""
        period = self.period // math.gcd(self.period, step)
        return self._replace(stride=self.stride * step, period=period)


@dataclass(frozen=True)
class Place:
    """Where the units of a tensor look, and which of its axes they lie along.

    Axes count from the end, as broadcasting does. In a map, columns and rows have an axis each. In
    tokens they share one: `grid` is then (columns, rows), and the grid starts at `first_token`.
    """

    column: AxisField
    row: AxisField
    column_axis: int = -1
    row_axis: int = -2
    grid: tuple[int, int] | None = None
    first_token: int = 0
    # something of the whole image has been mixed in, alike at all places or place by place
    global_context: bool = False

    @property
    def axes(self) -> set[int]:
        """The axes along which the units lie: one for tokens, two for a map."""
        return {self.column_axis, self.row_axis}

    @property
    def layout(self) -> tuple[int, int, tuple[int, int] | None, int]:
        """How units lie in the tensor, wherever they look."""
        return self.column_axis, self.row_axis, self.grid, self.first_token

    def extents(self, tensor: Tensor) -> list[int]:
        """Sizes of a tensor along `axes`; 1 where it would be broadcast."""
        return [tensor.shape[a] if tensor.ndim >= -a else 1 for a in sorted(self.axes)]


class Nowhere(NamedTuple):
    """A tensor whose units depend on the whole image, since `operation`."""

    operation: str


class View(NamedTuple):
    """How a tensor was made of another whose memory it shares: the operation and its arguments."""

    parent: Tensor
    operation: str
    args: Sequence[Any]


State = Callable[[Any], "Place | Nowhere | None"]  # None: a constant
Rule = Callable[[Sequence[Any], State, Tensor], "Place | None"]


def unite(places: Sequence[Place]) -> Place | None:
    """Field of units that see what any of several see; None where their grids differ."""
    axes = []
    for name in ("column", "row"):
        united = unite_axes([getattr(place, name) for place in places])
        if united is None:
            return None
        axes.append(united)
    context = any(place.global_context for place in places)
    return replace(places[0], column=axes[0], row=axes[1], global_context=context)


def unite_axes(axes: Sequence[AxisField]) -> AxisField | None:
    """Smallest field that holds several; None if their strides differ, or they wrap differently."""
    wraps = {axis.wrap for axis in axes if axis.wrap}
    if len({axis.stride for axis in axes}) > 1 or len(wraps) > 1:
        return None
    return AxisField(
        min(axis.first for axis in axes),
        max(axis.last for axis in axes),
        axes[0].stride,
        math.lcm(*(axis.period for axis in axes)),
        max(wraps, default=0.0),
    )


def tensors(values: Iterable[Any]) -> list[Tensor]:
    """All tensors among arguments or results, in lists too."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found.extend(tensors(value))
    return found
