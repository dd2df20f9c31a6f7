"""A forward pass of which only that is computed which some units of its layers look at.

Convolutions far from the last layer are then smaller: each computes the part of its map that those
units see. The first image of a kind passes as a whole, while the operations are written down; from
the last to the first it follows which part of each map is needed. Where an operation is not known,
all of what it reads is computed. What comes out is held against the whole pass before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from ._partial_rules import HARMLESS, Cut, DepartedError, Whole, Windowed, kind_of
from ._places import tensors
from ._window import Part, Window, cut_out

# How far units of a partial pass may be from those of the whole one, relative to the largest: other
# shapes add up in another order.
_ROUNDING, _SHORT_ROUNDING = 1e-3, 0.05

Windows = Mapping[str, Window]
Read = Callable[[Tensor], Mapping[str, Any]]


class PartialPasses:
    """Plans of partial passes through a module, by what is read of what."""

    def __init__(self) -> None:
        self._plans: dict[Any, Plan | None] = {}

    def read(self, read: Read, inputs: Tensor, windows: Windows) -> dict[str, Tensor] | None:
        """Read parts of layers of a batch; None where only a whole pass will do.

        Parameters
        ----------
        read : callable
            Passes inputs through the module, and returns what its layers put out.
        inputs : Tensor of shape (n, n_channels, height, width)
        windows : mapping of str to Window

        Returns
        -------
        maps : dict of str to Tensor of shape (n, n_channels, n_rows, n_columns), or None
        """
        key = (tuple(windows.items()), inputs.shape[1:], inputs.dtype, inputs.device)
        if key not in self._plans:
            self._plans[key] = _confirmed_plan(read, inputs[:1], windows)
        plan = self._plans[key]
        if plan is None:
            return None
        try:
            return plan.run(read, inputs)
        except DepartedError:  # a module that does not always do the same
            self._plans[key] = None
            return None


@dataclass
class Step:
    """One operation: the numbers of the tensors it reads and makes, and what it does to them."""

    function: Any
    inputs: tuple[int, ...]
    kind: Whole
    outputs: tuple[int, ...]


class Plan:
    """The operations of a pass, and which part of each tensor is computed.

    Tensors that depend on the image are numbered as they appear, the image being 0.

    Parameters
    ----------
    windows : mapping of str to Window
    """

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.steps: list[Step] = []
        self.sizes: list[tuple[int, int] | None] = []  # (rows, columns) of maps
        self.layers: dict[str, int] = {}
        self._parts: list[Part | None] = []  # None: all of it

    def run(self, read: Read, inputs: Tensor) -> dict[str, Tensor]:
        """Read the windows of a batch."""
        with _Partial(self, inputs) as mode:
            outputs = read(inputs)
        maps = {}
        for name, number in self.layers.items():
            if mode.numbers.get(outputs[name]) != number:
                raise DepartedError
            maps[name] = self.cut(outputs[name], number, self.windows[name].part)
        return maps

    def cut(self, tensor: Tensor, number: int | None, wanted: Part) -> Tensor:
        """Cut a part out of what there is of a tensor; one without a number is there as a whole."""
        there = None if number is None else self._parts[number]
        if there is None:
            return cut_out(tensor, wanted)
        rows, columns = (
            (first - start, last - start)
            for (first, last), (start, _) in zip(wanted, there, strict=True)
        )
        return cut_out(tensor, (rows, columns))

    def map_size(self, step: Step) -> tuple[int, int] | None:
        """Rows and columns of what a step reads as maps, rather than as weights or gates."""
        if isinstance(step.kind, Windowed):
            return self.sizes[step.inputs[0]]
        return self.sizes[step.outputs[0]] if step.outputs else None

    def part_of(self, step: Step) -> Part | None:
        """The part that a step computes."""
        return self._parts[step.outputs[0]] if len(step.outputs) == 1 else None

    def settle(self) -> bool:
        """Find out which parts are needed, from the layers back; whether anything is saved."""
        self._parts = [None] * len(self.sizes)
        needed: dict[int, Part] = {
            number: self.windows[name].part for name, number in self.layers.items()
        }
        before = None
        while needed != before:  # more than twice where tensors are written to
            before = dict(needed)
            for step in reversed(self.steps):
                wanted = needed.get(step.outputs[0]) if len(step.outputs) == 1 else None
                computed = wanted and step.kind.grown(wanted)
                of_maps = wanted and step.kind.read(wanted)
                for number in step.outputs:
                    self._need(needed, number, computed)
                for number in step.inputs:
                    is_map = self.sizes[number] == self.map_size(step)
                    self._need(needed, number, of_maps if is_map else None)
        self._parts = [needed.get(number) for number in range(len(self.sizes))]
        self._parts[0] = None
        return any(self._saves(number) for number in needed if number)

    def _need(self, needed: dict[int, Part], number: int, part: Part | None) -> None:
        size = self.sizes[number]
        if size is None:
            return
        part = part or ((0, size[0]), (0, size[1]))
        known = needed.get(number, part)
        rows, columns = (
            (min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(part, known, strict=True)
        )
        needed[number] = rows, columns

    def _saves(self, number: int) -> bool:
        part, size = self._parts[number], self.sizes[number]
        return part is not None and size is not None and part != ((0, size[0]), (0, size[1]))


class _Watcher(TorchFunctionMode):
    """Knows the number of every tensor that depends on the image."""

    def __init__(self, plan: Plan, image: Tensor) -> None:
        super().__init__()
        self.plan = plan
        self.numbers = WeakTensorKeyDictionary()
        self.numbers[image] = 0

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in HARMLESS:
            return function(*args, **kwargs)
        found = [self.numbers.get(x) for x in tensors([*args, *kwargs.values()])]
        known = tuple(number for number in found if number is not None)
        if not known:
            return function(*args, **kwargs)
        return self.do(function, args, kwargs, known)

    def do(self, function: Any, args: Any, kwargs: dict[str, Any], known: tuple[int, ...]) -> Any:
        raise NotImplementedError


class _Recorder(_Watcher):
    """Writes down the operations of a whole pass."""

    def __init__(self, plan: Plan, image: Tensor) -> None:
        super().__init__(plan, image)
        plan.sizes.append(_size(image))

    def do(self, function: Any, args: Any, kwargs: dict[str, Any], known: tuple[int, ...]) -> Any:
        result = function(*args, **kwargs)
        kind = kind_of(function, args, kwargs, self._is_known, result)
        outputs = tensors([result])
        for output in outputs:
            if output not in self.numbers:
                self.numbers[output] = len(self.plan.sizes)
                self.plan.sizes.append(_size(output))
        made = tuple(self.numbers[output] for output in outputs)
        self.plan.steps.append(Step(function, known, kind, made))
        return result

    def _is_known(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value in self.numbers


class _Partial(_Watcher):
    """Does the same operations to the parts that are needed."""

    def __init__(self, plan: Plan, image: Tensor) -> None:
        super().__init__(plan, image)
        self._at = 0

    def do(self, function: Any, args: Any, kwargs: dict[str, Any], known: tuple[int, ...]) -> Any:
        step = self.plan.steps[self._at] if self._at < len(self.plan.steps) else None
        if step is None or step.function is not function or step.inputs != known:
            raise DepartedError
        self._at += 1
        part = self.plan.part_of(step)
        if part is None:
            result = function(*args, **kwargs)
        else:
            result = step.kind.do(function, args, kwargs, self._cut_for(step, part), part)
        outputs = tensors([result])
        if len(outputs) != len(step.outputs):
            raise DepartedError
        for output, number in zip(outputs, step.outputs, strict=True):
            self.numbers[output] = number
        return result

    def _cut_for(self, step: Step, part: Part) -> Cut:
        """How a step's maps are cut to what it computes its part of."""
        wanted = step.kind.read(part)
        size = self.plan.map_size(step)

        def cut(tensor: Tensor) -> Tensor:
            number = self.numbers.get(tensor)
            lies_alike = (_size(tensor) if number is None else self.plan.sizes[number]) == size
            return self.plan.cut(tensor, number, wanted) if wanted and lies_alike else tensor

        return cut


def _confirmed_plan(read: Read, image: Tensor, windows: Windows) -> Plan | None:
    """Plan of a pass, if it saves anything and comes to the same for an image."""
    plan = Plan(windows)
    with _Recorder(plan, image) as mode:
        outputs = read(image)
    for name, window in windows.items():
        output = outputs.get(name)
        number = mode.numbers.get(output) if isinstance(output, Tensor) else None
        if number is None or output is None or output.shape[1] != window.field.n_channels:
            return None
        if plan.sizes[number] != window.field.map_size[::-1]:
            return None
        plan.layers[name] = number
    if not plan.settle():
        return None
    try:
        maps = plan.run(read, image)
    except (DepartedError, RuntimeError, ValueError, IndexError, TypeError, AssertionError):
        return None  # whatever a module says to maps of other sizes
    alike = (_are_alike(maps[name], windows[name].cut(outputs[name])) for name in windows)
    return plan if all(alike) else None


def _are_alike(part: Tensor, whole: Tensor) -> bool:
    if part.shape != whole.shape or part.dtype != whole.dtype:
        return False
    is_short = whole.dtype in (torch.float16, torch.bfloat16)
    difference, largest = (part - whole).abs().max(), whole.abs().max()
    return bool(difference <= (_SHORT_ROUNDING if is_short else _ROUNDING) * largest)


def _size(tensor: Tensor) -> tuple[int, int] | None:
    return (tensor.shape[-2], tensor.shape[-1]) if tensor.ndim == 4 else None
