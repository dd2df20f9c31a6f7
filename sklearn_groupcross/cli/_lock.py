"""One command at a time writes to a folder."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from filelock import Timeout

from .._locks import hold
from .._schema import read_json
from ._streams import complain

LOCK, OWNER = ".groupcross.lock", ".groupcross.owner"
# Longer ones are cut: they are for a person to recognise.
_SHOWN_COMMAND = 200


class _Owner(msgspec.Struct, forbid_unknown_fields=True):
    """Who writes to a folder."""

    process: int
    host: str
    command: str
    since: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.host} since {self.since}: {self.command}"


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
            f"Another command writes to {folder} ({_owner_of(folder)}): wait for its end, or "
            "choose another --out."
        ) from None
    if lock is None:
        complain(
            f"{folder} lies on a file system without locks: see to it that no other command "
            "writes there meanwhile."
        )
    try:
        _sign(folder)
        yield
    finally:
        # before: whoever finds the lock free finds nobody's name beside it
        with suppress(OSError):
            (folder / OWNER).unlink(missing_ok=True)
        if lock is not None:
            lock.release()


def _sign(folder: Path) -> None:
    owner = _Owner(
        process=os.getpid(),
        host=socket.gethostname(),
        # escaped as bytes: a name need not be text
        command=ascii(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))[1:-1][:_SHOWN_COMMAND],
        since=time.strftime("%Y-%m-%d %H:%M:%S"),
    )
    path = folder / OWNER
    # a killed command's, or a link that is not ours and may lead to anybody's file
    path.unlink(missing_ok=True)
    # not durable: after a power cut there is no owner
    with open(path, "xb") as file:
        file.write(msgspec.json.encode(owner))


def _owner_of(folder: Path) -> str:
    path = folder / OWNER
    try:
        return str(read_json(path.read_bytes(), _Owner, path))
    except (OSError, ValueError):  # it has just begun, or is about to end
        return "a process that has not said its name"
