"""Follow receptive fields through a forward pass: the watcher of all operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from ._places import AxisField, Nowhere, Place, Rule, View, tensors
from ._write_rules import CONSTANTS, written


class FieldTracker(TorchDispatchMode):
    """Knows the place of every tensor that an image has an influence on.

    A write to a part of a tensor is a write to the whole: what shares the memory learns of it.

    Parameters
    ----------
    image : Tensor of shape (1, n_channels, height, width)
        Its pixels are the units of the first map.
    rules : dict of str to callable
        For the operations of torch by name; None of a rule is `Nowhere`.
    default : callable
        The rule of all other operations.
    """

    def __init__(self, image: Tensor, rules: dict[str, Rule], default: Rule) -> None:
        super().__init__()
        self._rules, self._default = rules, default
        # a place, and how often the memory had been written to when it was found out
        self._places = WeakTensorKeyDictionary()
        self._views = WeakTensorKeyDictionary()
        self._writes: dict[int, int] = {}
        pixel = AxisField(0.0, 0.0, 1.0)
        self._size = (image.shape[-1], image.shape[-2])
        self._keep(image, Place(pixel, pixel))

    def state(self, value: Any) -> Place | Nowhere | None:
        """What is known of a value; None for what does not depend on the image."""
        if not isinstance(value, Tensor):
            return None
        known, at = self._places.get(value, (None, 0))
        view = self._views.get(value)
        if view is not None and at < self._n_writes(value):
            # its memory has been written to through another view
            known = self._found(view.operation, view.args, value, self.state(view.parent))
            self._keep(value, known)
        return known

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        inputs = tensors([*args, *(kwargs or {}).values()])
        # asked before the operation runs: it may write to its input
        known = [s for s in map(self.state, inputs) if s]
        before = {id(x): self.state(x) for x in inputs} if func._schema.is_mutable else {}
        result = func(*args, **(kwargs or {}))
        outputs = tensors([result])
        if not before:
            self._note_views(name, args, inputs, outputs)
        if known and not name.startswith(_NEW):
            lost = next((s for s in known if isinstance(s, Nowhere)), Nowhere(str(func)))
            found = [self._found(name, args, output, lost) for output in outputs]
            for output, place in zip(outputs, found, strict=True):
                self._keep(output, place)
            for output, place in zip(outputs, found, strict=True):
                if id(output) in before:
                    self._write(name, output, place, before[id(output)])
        return result

    def _found(
        self, name: str, args: Sequence[Any], output: Tensor, lost: Place | Nowhere | None
    ) -> Place | Nowhere | None:
        if lost is None:
            return None
        place = self._rules.get(name, self._default)(args, self.state, output)
        if place is not None:
            return place
        return lost if isinstance(lost, Nowhere) else Nowhere(f"aten.{name}")

    def _keep(self, tensor: Tensor, place: Place | Nowhere | None) -> None:
        self._places[tensor] = (place, self._n_writes(tensor))

    def _n_writes(self, tensor: Tensor) -> int:
        return self._writes.get(_memory(tensor), 0)

    def _note_views(
        self, name: str, args: Sequence[Any], inputs: list[Tensor], outputs: list[Tensor]
    ) -> None:
        for output in outputs:
            parent = next((x for x in inputs if _memory(x) == _memory(output) != 0), None)
            if parent is not None and parent is not output:
                self._views[output] = View(parent, name, args)

    def _write(
        self, name: str, tensor: Tensor, place: Place | Nowhere | None, old: Place | Nowhere | None
    ) -> None:
        """Tell what a tensor is part of that it has been written to."""
        chain = [(tensor, place, old)]
        while (view := self._views.get(chain[-1][0])) is not None:
            child, new, was = chain[-1]
            whole = self.state(view.parent)
            if name in CONSTANTS or (new == was and not isinstance(new, Nowhere)):
                chain.append((view.parent, whole, whole))
                continue
            chain.append((view.parent, written(view, child, new, was, whole, self._size), whole))
        memory = _memory(tensor)
        self._writes[memory] = self._writes.get(memory, 0) + 1
        for part, new, _ in chain:
            self._keep(part, new)


#: What is made in the likeness of a tensor does not depend on what that holds.
_NEW = ("new_", "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like")


def _memory(tensor: Tensor) -> int:
    """Name of the memory that a tensor lies in; 0 for those that have none."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):  # sparse ones
        return 0
