"""Which file a run keeps its checkpoint in: one that no other run at work has."""

from __future__ import annotations

import warnings
from contextlib import suppress
from itertools import count
from pathlib import Path

from filelock import Timeout

from .._locks import Lock, hold


class Slot:
    """A checkpoint's file, held until it is released or the process ends.

    Two runs of one configuration may be at work in one folder, in two processes or threads: the
    second has a file of its own. One that a killed run left behind is taken up, the newest first.

    Parameters
    ----------
    folder : Path
        An existing one.
    key : str
        Of the configuration; runs with another never meet.

    Attributes
    ----------
    path : Path
        There, if a run was killed or stopped.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._key = folder, key
        self.path, self._lock = self._take()

    def release(self) -> None:
        """Leave the file to others."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def remove_others(self) -> None:
        """Delete what killed runs of this configuration left in other files."""
        for path in self._there():
            if path != self.path:
                with suppress(Timeout):
                    lock = _lock(path)
                    path.unlink(missing_ok=True)
                    if lock is not None:
                        lock.release()

    def _take(self) -> tuple[Path, Lock | None]:
        for path in self._there():
            with suppress(Timeout):
                lock = _lock(path)
                if path.exists():
                    return path, lock
                if lock is not None:  # its run has ended meanwhile
                    lock.release()
        for number in count(1):
            path = self._folder / self._name("" if number == 1 else f"-{number}")
            with suppress(Timeout):
                return path, _lock(path)
        raise AssertionError("count() has no end")

    def _there(self) -> list[Path]:
        """Files of this configuration, the newest first."""
        found = []
        for path in self._folder.glob(self._name("*")):
            with suppress(FileNotFoundError):
                found.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(found, reverse=True)]

    def _name(self, number: str) -> str:
        return f"crosscoder-{self._key}{number}.checkpoint.safetensors"


def _lock(path: Path) -> Lock | None:
    """Lock a checkpoint; None, with a warning, where the file system knows no locks.

    Raises
    ------
    Timeout
        If a run at work has it.
    """
    # beside it: the checkpoint itself is replaced at every write
    lock = hold(path.with_name(f".{path.name}.lock"), removes=True)
    if lock is None:
        warnings.warn(
            f"checkpoint_dir {path.parent} lies on a file system without locks: see to it that no "
            "other run with the same parameters and data is at work there meanwhile.",
            RuntimeWarning,
            stacklevel=2,
        )
    return lock
