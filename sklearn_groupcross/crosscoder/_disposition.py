"""What a signal does, by Python and by the system: taken over for a time, then put back."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]

# More than any system's struct sigaction takes.
_SIZE_OF_ACTION = 512


class Disposition:
    """Takes a signal over from the host program, unless the host's own C code has it.

    Python knows of a handler in C at most that it is none of its own, and where one was set after
    Python began, not even that; so the system is asked as well.

    Parameters
    ----------
    number : int

    Attributes
    ----------
    previous : callable, SIG_DFL, SIG_IGN or None
        Python's handler. None if C code has the signal.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._action = _read_action(number)
        self._ours: Handler | None = None
        previous: Any = signal.getsignal(number)
        address = _address(self._action)
        if address is not None and address > 1:  # 0 is SIG_DFL, 1 is SIG_IGN
            if not callable(previous):
                previous = None
        elif address == 1:
            previous = signal.SIG_IGN
        self.previous = previous

    def replace(self, handler: Handler) -> bool:
        """Install a handler; False if it cannot be done, or C code turns out to have the signal."""
        try:
            signal.signal(self._number, handler)
        except ValueError:  # another interpreter's main thread
            return False
        self._ours = handler
        # all handlers in Python are reached through one function in C
        self._entry = _address(_read_action(self._number))
        if callable(self.previous) and self._entry != _address(self._action):
            self.restore()
            return False
        return True

    def restore(self) -> None:
        """Put back what was there, unless somebody else has changed it meanwhile."""
        if self._ours is None or signal.getsignal(self._number) is not self._ours:
            return
        now = _read_action(self._number)
        signal.signal(self._number, self.previous)
        _write_action(self._number, self._action if _address(now) == self._entry else now)


def _read_action(number: int) -> bytes | None:
    """The system's ``struct sigaction``, as it is; None where there is none."""
    if _sigaction is None:
        return None
    action = ctypes.create_string_buffer(_SIZE_OF_ACTION)
    return action.raw if _sigaction(number, None, action) == 0 else None


def _write_action(number: int, action: bytes | None) -> None:
    if _sigaction is not None and action is not None:
        _sigaction(number, action, None)


def _address(action: bytes | None) -> int | None:
    """Where the handler is: it stands first in the struct."""
    if action is None:
        return None
    return int.from_bytes(action[: ctypes.sizeof(ctypes.c_void_p)], sys.byteorder)


def _find_sigaction() -> Any:
    if sys.platform == "win32":
        return None
    try:
        function = ctypes.CDLL(None).sigaction
    except (OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p]
    function.restype = ctypes.c_int
    return function


_sigaction = _find_sigaction()
