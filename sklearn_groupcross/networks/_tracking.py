"""Follow receptive fields through a forward pass: what is known of a tensor, and the watcher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary


class AxisField(NamedTuple):
    """Pixels that unit 0 of one axis sees, ``first ... last``, and the step to the next unit."""

    first: float
    last: float
    stride: float

    def shifted(self, units: float) -> AxisField:
        """Field once the unit that was number `units` is number 0."""
        step = units * self.stride
        return AxisField(self.first + step, self.last + step, self.stride)


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

    def extents(self, tensor: Tensor) -> list[int]:
        """Sizes of a tensor along `axes`; 1 where it would be broadcast."""
        return [tensor.shape[a] if tensor.ndim >= -a else 1 for a in sorted(self.axes)]


class Nowhere(NamedTuple):
    """A tensor whose units depend on the whole image, since `operation`."""

    operation: str


State = Callable[[Any], "Place | Nowhere | None"]  # None: a constant
Rule = Callable[[Sequence[Any], State, Tensor], "Place | None"]


class FieldTracker(TorchDispatchMode):
    """Knows the place of every tensor that an image has an influence on.

    Parameters
    ----------
    image : Tensor of shape (1, 3, height, width)
        Its pixels are the units of the first map.
    rules : dict of str to callable
        For the operations of torch by name; None of a rule is `Nowhere`.
    default : callable
        The rule of all other operations.
    """

    def __init__(self, image: Tensor, rules: dict[str, Rule], default: Rule) -> None:
        super().__init__()
        self._rules, self._default = rules, default
        self._places = WeakTensorKeyDictionary()
        pixel = AxisField(0.0, 0.0, 1.0)
        self._places[image] = Place(pixel, pixel)

    def state(self, value: Any) -> Place | Nowhere | None:
        """What is known of a value; None for what does not depend on the image."""
        return self._places.get(value) if isinstance(value, Tensor) else None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # asked before the operation runs: it may write to its input
        known = [s for s in map(self.state, tensors([*args, *(kwargs or {}).values()])) if s]
        result = func(*args, **(kwargs or {}))
        if known:
            rule = self._rules.get(func.overloadpacket.__name__, self._default)
            lost = next((s for s in known if isinstance(s, Nowhere)), Nowhere(str(func)))
            places = [(output, rule(args, self.state, output)) for output in tensors([result])]
            for output, place in places:
                self._places[output] = lost if place is None else place
        return result


def tensors(values: Any) -> list[Tensor]:
    """All tensors among arguments or results, in lists too."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found.extend(tensors(value))
    return found
