"""Signals that wait for the end of a step."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

from ._disposition import Disposition, Handler

# Sent to end a process: by schedulers and `kill`, and by a terminal that closes.
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Whether a signal asks for the end, and what is to follow it.

    Attributes
    ----------
    deadly : int or None
        The signal, if it is one of which the process is to die.
    """

    def __init__(self) -> None:
        self.deadly: int | None = None
        self._is_set = False
        self._raised: BaseException | None = None

    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self._is_set

    def set(self, *, raised: BaseException | None = None, deadly: int | None = None) -> None:
        """Ask for the end, after which an error of the host is raised, or the process dies."""
        self._is_set, self._raised, self.deadly = True, raised, deadly

    def set_by_others(self) -> None:
        """Ask for the end because another process was asked, if this one was not."""
        self._is_set = True

    def error(self, message: str) -> BaseException:
        """What to raise: what the host's own handler raised, else `KeyboardInterrupt`."""
        return KeyboardInterrupt(message) if self._raised is None else self._raised


@contextmanager
def deferred_interrupt(last_act: Callable[[], None] | None = None) -> Iterator[Interruption]:
    """Let Ctrl-C set an event, so that no weights are left half updated.

    A second Ctrl-C acts at once. With `last_act`, SIGTERM and SIGHUP wait as well: when the block
    ends the process dies of them, as it would have without us.

    A host program keeps what is its own. Its handlers in Python are called at once, and what they
    raise waits for the end of the step; where they raise nothing, nothing stops. Signals that are
    ignored, or that C code has, are left alone. They reach the main thread only; elsewhere nothing
    changes.

    Parameters
    ----------
    last_act : callable, optional
        Called before the process dies. Default: SIGTERM and SIGHUP are left alone.
    """
    interruption = Interruption()
    try:
        with ExitStack() as restored:
            if threading.current_thread() is threading.main_thread():
                # the first is restored last, so that Ctrl-C cannot disturb the others
                for number in (signal.SIGINT, *(_ENDING if last_act else ())):
                    disposition = Disposition(number)
                    handler = _handler_for(number, disposition.previous, interruption, last_act)
                    if handler is not None and disposition.replace(handler):
                        restored.callback(disposition.restore)
            yield interruption
    except Exception as error:
        if interruption.is_set() and interruption.deadly is None:
            raise interruption.error("Interrupted, while an error was on its way.") from error
        raise
    finally:
        if interruption.deadly is not None:
            try:
                if last_act is not None:
                    last_act()
            finally:  # whoever sent it waits for the end
                _die(interruption.deadly)


class _Deferring:
    """A handler of ours, over the host's or over that of a fit around this one."""

    def __init__(self, act: Handler) -> None:
        self._act = act

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._act(number, frame)


def _handler_for(
    number: int, previous: Any, interruption: Interruption, last_act: Callable[[], None] | None
) -> Handler | None:
    """What a signal does meanwhile; None if it is to be left alone."""

    def press(number: int, frame: FrameType | None) -> None:
        if interruption.is_set():
            raise KeyboardInterrupt
        interruption.set()

    def die(number: int, frame: FrameType | None) -> None:
        if interruption.is_set():
            _die(number)
        interruption.set(deadly=number)

    def ask_host(number: int, frame: FrameType | None) -> None:
        try:
            previous(number, frame)
        except BaseException as error:
            if interruption.is_set():
                raise
            interruption.set(raised=error)

    def end_both(number: int, frame: FrameType | None) -> None:
        previous(number, frame)
        interruption.set()

    if isinstance(previous, _Deferring):
        return _Deferring(end_both)
    if previous is signal.SIG_DFL:
        return _Deferring(die) if last_act is not None else None
    if not callable(previous):
        return None
    return _Deferring(press if previous is signal.default_int_handler else ask_host)


def _die(number: int) -> None:
    """End the process by a signal, such that whoever waits for it sees which it was."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    # the first process of a container survives it
    sys.exit(128 + number)
