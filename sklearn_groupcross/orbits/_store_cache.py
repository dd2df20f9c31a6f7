"""Copies of a remote store's chunks in a local folder of bounded size, shared by processes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .._locks import hold

#: Bytes that copies may take where nothing is said.
CACHE_BYTES = 16 * 2**30
_UNFINISHED, _ROOM = ".unfinished-", ".room"
# Seconds to wait for another process that fetches the same chunk.
_PATIENCE = 3600.0


def default_cache_dir() -> Path:
    """Where copies lie where nothing is said: the folder that the system has for such."""
    from pooch import os_cache

    return Path(os_cache("sklearn_groupcross")) / "orbits"


class ChunkCache:
    """Folders of files, by keys that say what is in them; those used least recently go first.

    What a key names never changes, so that nothing in the cache grows old. A folder appears under
    its key when it is whole: what a killed process leaves has another name, counts as bytes, and
    goes like all that is not used.

    Parameters
    ----------
    folder : Path
        Made when it is needed. Several processes and stores may share it.
    max_bytes : int
        What all folders may take together. 0: there is no cache.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder, max_bytes

    def find(self, key: str) -> Path | None:
        """The folder of a key, which was used now; None if it is not there."""
        folder = self.folder / key
        try:
            os.utime(folder)
        except FileNotFoundError:
            return None
        return folder

    def fetch(self, key: str, n_bytes: int, fill: Callable[[Path], None]) -> Path:
        """The folder of a key, filled if it is not there.

        Parameters
        ----------
        key : str
        n_bytes : int
            What it will take; others go to make room.
        fill : callable
            Called with an empty folder, unless another process has filled it meanwhile.

        Raises
        ------
        OSError
            If the disk is full, or the folder cannot be written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # one process fetches, others that want the same wait for it
        lock = hold(self.folder / f".{key}.lock", timeout=_PATIENCE, removes=True)
        try:
            while (folder := self.find(key)) is None:
                unfinished = self._make_room(n_bytes)
                try:
                    fill(unfinished)
                    with suppress(FileNotFoundError):  # others' took its room, as after a long halt
                        (unfinished / _ROOM).unlink()
                        unfinished.rename(self.folder / key)
                finally:
                    shutil.rmtree(unfinished, ignore_errors=True)
            return folder
        finally:
            if lock is not None:
                lock.release()

    def has_room(self, n_bytes: int) -> bool:
        """Whether a chunk of this size would come in without another going."""
        return n_bytes + sum(size for _, size, _ in self._folders()) <= self.max_bytes

    def _make_room(self, n_bytes: int) -> Path:
        """An empty folder that takes its room from now on."""
        lock = hold(self.folder / ".lock", timeout=_PATIENCE)
        try:
            folders = sorted(self._folders())
            total = n_bytes + sum(size for _, size, _ in folders)
            for _, size, folder in folders:
                if total <= self.max_bytes:
                    break
                # by another name first: a folder under its key is whole
                going = folder.with_name(_UNFINISHED + "going-" + folder.name)
                with suppress(FileNotFoundError):
                    folder.rename(going)
                shutil.rmtree(going, ignore_errors=True)
                total -= size
            unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
            with open(unfinished / _ROOM, "wb") as room:
                room.truncate(n_bytes)  # takes no blocks, and is counted
            return unfinished
        finally:
            if lock is not None:
                lock.release()

    def _folders(self) -> list[tuple[float, int, Path]]:
        """When each was used, its bytes, and where it is."""
        found: list[tuple[float, int, Path]] = []
        for folder in self.folder.glob("*") if self.folder.is_dir() else ():
            with suppress(OSError):  # it goes just now
                if folder.is_dir():
                    files = [file.stat() for file in folder.iterdir()]
                    # of one that is being filled, when it was last written to
                    used = max([folder.stat().st_mtime, *(file.st_mtime for file in files)])
                    # while it is filled its room is counted, and not what has come of it
                    room = folder / _ROOM
                    sizes = [room.stat()] if room.exists() else files
                    found.append((used, sum(file.st_size for file in sizes), folder))
        return found
