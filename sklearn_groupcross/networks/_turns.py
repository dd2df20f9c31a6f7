"""Which thread may read which modules: those that want parts of one module follow one another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager

from torch import nn


class Turns:
    """Turns of threads at modules.

    What a reading hangs on a module, hooks and copies of parts, would meet the passes of others.
    Tracing changes `torch.nn.Module` itself, so that no other module may run meanwhile.

    Within a thread, turns may be nested.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # by id; parts and not whole modules, since two modules may share some
        self._taken: list[tuple[int, Set[int]]] = []
        self._waiting: set[int] = set()
        self._alone: int | None = None

    @contextmanager
    def at(self, module: nn.Module) -> Iterator[list[nn.Module]]:
        """Have a module and its parts for this thread; yields them, each once."""
        thread = threading.get_ident()
        parts: dict[int, nn.Module] = {}

        def is_free() -> bool:
            nonlocal parts
            # found anew after waiting: whoever reads may have copies in the places of parts
            parts = _parts_of(module)
            return self._alone in (None, thread) and all(
                other == thread or taken.isdisjoint(parts) for other, taken in self._taken
            )

        turn: tuple[int, Set[int]] | None = None
        try:
            with self._changed:
                self._wait(is_free)
                turn = (thread, parts.keys())
                self._taken.append(turn)
            yield list(parts.values())
        finally:
            with self._changed:
                self._taken = [other for other in self._taken if other is not turn]
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other thread is at any module, and let none begin."""
        thread, before = threading.get_ident(), self._alone

        def is_free() -> bool:
            # those that wait themselves run no module, and waiting for them would never end
            running = {other for other, _ in self._taken} - self._waiting - {thread}
            return self._alone in (None, thread) and not running

        is_mine = False
        try:
            with self._changed:
                self._wait(is_free)
                before, self._alone, is_mine = self._alone, thread, True
            yield
        finally:
            with self._changed:
                if is_mine:
                    self._alone = before
                self._changed.notify_all()

    def _wait(self, is_free: Callable[[], bool]) -> None:
        if is_free():
            return
        self._waiting.add(threading.get_ident())
        self._changed.notify_all()  # somebody may be waiting for this thread to do nothing
        try:
            self._changed.wait_for(is_free)
        finally:
            self._waiting.discard(threading.get_ident())


def _parts_of(module: nn.Module) -> dict[int, nn.Module]:
    """Find what ``module.modules()`` does, in a third of its time: every pass asks for them."""
    found, ahead = {id(module): module}, [module]
    while ahead:
        for part in ahead.pop()._modules.values():
            if part is not None and id(part) not in found:
                found[id(part)] = part
                ahead.append(part)
    return found
