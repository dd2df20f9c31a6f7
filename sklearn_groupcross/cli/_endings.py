"""How a command ends: its status, and what it says last."""

from __future__ import annotations

import os
import re
import signal

from .._printable import printable
from ._signals import Stopped

USER_ERROR = 2
# What shells say of a command that a signal has ended.
_BY_SIGNAL = 128
BROKEN_PIPE = _BY_SIGNAL + 13


def check_working_folder() -> None:
    """See that there is a folder to start from: without it libraries cannot even be loaded.

    Raises
    ------
    FileNotFoundError
        If it has been removed.
    """
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            "The folder in which groupcross was started does not exist any more: change to another."
        ) from error


def status_of_signal(interrupt: KeyboardInterrupt | Stopped) -> int:
    """Exit status of a command that was interrupted."""
    number = interrupt.number if isinstance(interrupt, Stopped) else signal.SIGINT
    return _BY_SIGNAL + int(number)


def is_of_the_user(error: Exception) -> bool:
    """Whether what was asked for is at fault, or the machine: a fault of the program is neither."""
    if isinstance(error, (ValueError, OSError, ImportError, MemoryError)):
        return True
    # torch has its own words where memory is short, on the CPU no type of its own
    return type(error).__name__ == "OutOfMemoryError" or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def in_one_line(error: BaseException | str) -> str:
    """Say what went wrong in one line that a terminal can show as it is."""
    text = re.sub(r"[ \t\r\n]+", " ", error if isinstance(error, str) else _describe(error)).strip()
    return printable(text)


def _describe(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted. {error}"
    if isinstance(error, MemoryError):
        return f"Not enough memory. {error}"
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        second = "" if error.filename2 is None else f" -> {error.filename2!r}"
        return f"{error.strerror}: {error.filename!r}{second}"
    return str(error)
