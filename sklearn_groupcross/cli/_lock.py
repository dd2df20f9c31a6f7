"""One command at a time writes to a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout

from .._locks import hold, owner_of
from ._streams import complain

LOCK = ".groupcross.lock"


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for one command; the lock of a process that is dead holds nobody up.

    Raises
    ------
    BlockingIOError
        If another command holds it; the message names its process, host, time and command.
    """
    try:
        lock = hold(folder / LOCK, removes=True)
    except Timeout:
        raise BlockingIOError(
            f"Another command writes to {folder} ({owner_of(folder / LOCK)}): wait for its end, or "
            "choose another --out."
        ) from None
    if lock is None:
        complain(
            f"{folder} lies on a file system without locks: see to it that no other command "
            "writes there meanwhile."
        )
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
