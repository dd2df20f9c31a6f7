"""Files of a store, opened for writing: never through a link, and named in every error."""

from __future__ import annotations

import errno
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from filelock import Timeout

from .._files import folder_to_disk
from .._locks import hold, owner_of

# Windows has neither; a pipe that nobody reads from would be waited for
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def refuse_link(path: Path) -> None:
    """Refuse to write through a symbolic link: others may have laid it, out of the store.

    Raises
    ------
    OSError
        Naming the file.
    """
    if path.is_symlink():
        raise OSError(
            errno.ELOOP,
            "This is a symbolic link, and a store writes to plain files of its own alone: remove "
            "it, or put the file itself in its place",
            str(path),
        )


def refuse_missing_folder(folder: Path) -> None:
    """Say that a store is gone: a store without files would be one in which all is pending.

    Raises
    ------
    FileNotFoundError
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            errno.ENOENT,
            "The store's folder is gone: put it back, or open the store where it lies now",
            str(folder),
        )


@contextmanager
def within_store(folder: Path) -> Iterator[None]:
    """Where a file of a store is missing, say so if all of the store is.

    Raises
    ------
    FileNotFoundError
    """
    try:
        yield
    except FileNotFoundError:
        refuse_missing_folder(folder)
        raise


@contextmanager
def named_in_errors(path: Path) -> Iterator[None]:
    """Name a file in errors of the system that do not: of a full disk, for example."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def open_plain(path: Path, mode: str) -> BinaryIO:
    """Open a file in a binary mode that writes; it is no link and nothing but a file.

    Raises
    ------
    OSError
    """
    refuse_link(path)
    opened = cast(BinaryIO, open(path, mode, opener=_open_without_links))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise OSError(errno.EINVAL, "This is no plain file, and a store writes to such", str(path))
    return opened


def _open_without_links(name: str, flags: int) -> int:
    # a link that was laid since it was looked for is an error of the system's
    return os.open(name, flags | _FLAGS, 0o666)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, such that their names survive a power cut.

    Raises
    ------
    OSError
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        folder_to_disk(place.parent)


@contextmanager
def hold_lock(path: Path, message: str, timeout: float = 0) -> Iterator[None]:
    """Hold a lock that the operating system frees when the process ends, however it ends.

    Where the file system knows no locks, one is warned.

    Raises
    ------
    BlockingIOError
        With that message and who it is, if another process or thread holds it longer than `timeout`
        seconds.
    OSError
        If the folder is read-only or gone, or the lock's file is a link.
    """
    refuse_link(path)
    refuse_missing_folder(path.parent)
    try:
        with named_in_errors(path):
            lock = hold(path, timeout=timeout)
    except Timeout as error:
        raise BlockingIOError(f"{message} It is held by {owner_of(path)}.") from error
    if lock is None:
        warnings.warn(
            f"{path.parent} lies on a file system without locks: see to it that no other process "
            "writes to this store meanwhile.",
            RuntimeWarning,
            stacklevel=3,
        )
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
