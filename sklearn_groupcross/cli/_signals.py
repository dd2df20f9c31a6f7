"""Signals that ask a command to end: it cleans up, and its status says which one it was."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Seconds until a signal is sent again that came where nothing can be raised.
_AGAIN = 0.01
# Ctrl-C is a KeyboardInterrupt already; the others would end the process where it stands.
_ASKING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
# Those that have come since `stopped_by_signals` began.
_received: list[int] = []


class Stopped(BaseException):
    """A signal asked the command to end.

    Parameters
    ----------
    number : int
        Of the signal.
    more : str, default=""
        What else to say.

    Attributes
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int, more: str = "") -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}. {more}".strip())
        self.number = number


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise `Stopped` where the process would be ended; what nohup ignores stays ignored.

    What is raised while Python removes an object, or C code calls back, is lost: a signal that
    comes then, Ctrl-C too, is sent again a moment later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received.clear()
    taken = [number for number in _ASKING if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _stop)
    before, again = sys.unraisablehook, list[threading.Timer]()

    def send_again(lost: Any) -> None:
        if not isinstance(lost.exc_value, (KeyboardInterrupt, Stopped)):
            before(lost)
            return
        number = getattr(lost.exc_value, "number", signal.SIGINT)
        again.append(threading.Timer(_AGAIN, signal.raise_signal, [number]))
        again[-1].daemon = True
        again[-1].start()

    sys.unraisablehook = send_again
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in again:
            timer.cancel()
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def replaced_signals_raised() -> Iterator[None]:
    """Raise `Stopped` where a library raises an error of its own in its place.

    Compiled code does that which converts what it is given: a signal while matplotlib's reads a
    number is an invalid number there.
    """
    try:
        yield
    except Exception as error:
        if not _received:
            raise
        raise Stopped(_received[-1], f"({error})") from error


def _stop(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    raise Stopped(number)
