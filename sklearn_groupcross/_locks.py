"""Locks that the operating system frees when their holder ends, and who holds them."""

from __future__ import annotations

import errno
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from ._schema import read_json

# What file systems answer that know no locks, such as some of clusters.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
# Windows has neither; a pipe that nobody reads from would be waited for.
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
# Longer ones are cut: they are for a person to recognise.
_SHOWN_COMMAND = 200


class _Owner(msgspec.Struct, forbid_unknown_fields=True):
    """Who holds a lock."""

    process: int
    host: str
    command: str
    since: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.host} since {self.since}: {self.command}"


class Lock:
    """A lock that `hold` has taken."""

    def __init__(self, lock: FileLock, file: os.stat_result, removes: bool) -> None:
        self._lock, self._file, self._removes = lock, file, removes

    def release(self) -> None:
        """Leave the lock to others, without its file if that was asked for."""
        # before: whoever finds the lock free finds nobody's name beside it
        with suppress(OSError):
            _signature(Path(self._lock.lock_file)).unlink(missing_ok=True)
        if os.name == "nt":  # which removes no file that is open, so that nobody else's goes
            self._lock.release()
            self._remove()
        else:
            # first: who has opened the file meanwhile sees that it is gone, and makes a new one
            self._remove()
            self._lock.release()

    def _remove(self) -> None:
        path = Path(self._lock.lock_file)
        with suppress(OSError):
            # a folder that was removed and made again may hold another's
            if self._removes and _is_at(path, self._file):
                path.unlink()


def hold(path: Path, *, timeout: float = 0, removes: bool = False) -> Lock | None:
    """Take the lock that a file stands for; None where the file system knows no locks.

    Threads of one process keep each other out as processes do. Who holds it is written beside it,
    for `owner_of`; what a killed holder has left there means nothing, and the next replaces it.

    Parameters
    ----------
    path : Path
        Made if it is missing. Not a link.
    timeout : float, default=0
        Seconds to wait for another holder.
    removes : bool, default=False
        Whether the file goes when the lock is released. All who take this lock must agree on it.

    Raises
    ------
    filelock.Timeout
        If another holds it for longer.
    OSError
        If the file is a link, or cannot be made.
    """
    lock = FileLock(path, timeout=timeout, thread_local=False, fallback_to_soft=False)
    while True:
        with _opened(path) as file:
            try:
                lock.acquire()
            except Timeout:
                if _is_at(path, file):
                    raise
                continue
            except (NotImplementedError, OSError) as error:
                if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
                    raise
                break
            # whoever ended may have removed the file: one that was opened before is nobody's
            if _is_at(path, file):
                _sign(path)
                return Lock(lock, file, removes)
        lock.release()
    if removes:
        with suppress(OSError):
            path.unlink()
    return None


def names_of_lock(path: Path) -> set[str]:
    """Names of the files that a lock has in the folder of the one that stands for it."""
    return {path.name, _signature(path).name}


def owner_of(path: Path) -> str:
    """Say who holds the lock that a file stands for, of a lock that `hold` has not got.

    Returns
    -------
    owner : str
        Process, host, time and command.
    """
    signature = _signature(path)
    try:
        return str(read_json(signature.read_bytes(), _Owner, signature))
    except (OSError, ValueError):  # it has just begun, or is about to end
        return "a process that has not said its name"


def _sign(path: Path) -> None:
    owner = _Owner(
        process=os.getpid(),
        host=socket.gethostname(),
        command=_command(),
        since=time.strftime("%Y-%m-%d %H:%M:%S"),
    )
    signature = _signature(path)
    # a lock without a name is a lock: what fails here, as on a full disk, fails again in the work
    with suppress(OSError):
        # a killed holder's, or a link that is not ours and may lead to anybody's file
        signature.unlink(missing_ok=True)
        # not durable: after a power cut there is no owner
        with open(signature, "xb") as file:
            file.write(msgspec.json.encode(owner))


def _command() -> str:
    program = Path(sys.argv[0])
    # of ``python -m package``, and of a shell of Python, which has none
    name = program.parent.name if program.name == "__main__.py" else program.name or "python"
    # escaped as bytes: a name need not be text
    return ascii(shlex.join([name, *sys.argv[1:]]))[1:-1][:_SHOWN_COMMAND]


def _signature(path: Path) -> Path:
    # not in the lock's own file: Windows lets nobody read it while it is held, and older releases
    # of filelock empty it to try it
    return path.with_name(path.name.removesuffix(".lock") + ".owner")


@contextmanager
def _opened(path: Path) -> Iterator[os.stat_result]:
    # a file keeps its number while it is open: the same number later is the same file
    descriptor = os.open(path, _FLAGS, 0o666)
    try:
        yield os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _is_at(path: Path, file: os.stat_result) -> bool:
    """Whether a file that is open, or was, is the one that others find at a path."""
    if os.name == "nt":  # an open file stays where it is
        return True
    try:
        return os.path.samestat(file, os.stat(path))
    except FileNotFoundError:
        return False
