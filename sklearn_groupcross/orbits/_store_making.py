"""Making a store's folder and its manifest, which several processes may do at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from .._files import is_temporary, remove_all_remains
from .._locks import names_of_lock
from ._plain_files import hold_lock, make_folder
from ._store_chunk import ChunkFiles
from ._store_difference import explain_difference
from ._store_format import Manifest
from ._store_images import StoredImage
from ._store_schema import MANIFEST

_LOCK = ".manifest.lock"
# Seconds to wait for another process that changes the manifest: it takes well under one.
_PATIENCE = 60.0


def make_store(path: Path, plan: Manifest) -> None:
    """Make a store without rows, or see that the one that is there is of the same configuration.

    A store of another configuration in which nothing is written yet is replaced, unless a chunk of
    it is in work.

    Raises
    ------
    ValueError
        If the folder is something else, or holds rows of another configuration.
    OSError
        If it cannot be made or written to.
    """
    make_folder(path)
    remove_all_remains(path)
    if not (path / MANIFEST).exists():
        if any(not _is_own_trace(p) for p in path.iterdir()):
            raise ValueError(
                f"{path} is a folder with other files in it, and no orbit store: choose another."
            )
    elif not explain_difference(path, Manifest.read(path), plan):
        return  # it may be read-only, where nothing is pending
    with _manifest_locked(path):  # two processes may begin at once
        if not (path / MANIFEST).exists():
            plan.write(path)
        elif difference := explain_difference(path, stored := Manifest.read(path), plan):
            if not _remove_chunks_without_rows(path, stored):
                raise ValueError(difference)
            plan.write(path)


def extend_store(path: Path, images: Sequence[StoredImage]) -> None:
    """Add images to a manifest.

    Raises
    ------
    ValueError
        If one of them is in the store already.
    OSError
        If the folder is read-only or full.
    """
    with _manifest_locked(path):
        remove_all_remains(path)
        # another process may have added some
        Manifest.read(path).with_more(images).write(path)


def _manifest_locked(path: Path) -> AbstractContextManager[None]:
    message = f"The manifest of {path} has been locked for {_PATIENCE:g} s by another process."
    return hold_lock(path / _LOCK, message, _PATIENCE)


def _remove_chunks_without_rows(path: Path, manifest: Manifest) -> bool:
    """Clear a store in which nothing is written, and no chunk in work; whether it was one."""
    files = [ChunkFiles(path, manifest, chunk) for chunk in range(manifest.n_chunks)]
    if any(chunk.journal.read() for chunk in files):
        return False
    for chunk in files:
        try:
            with hold_lock(chunk.lock, "in work"):
                if chunk.journal.read():  # written since
                    return False
                for file in (chunk.journal.path, chunk.orbits, chunk.positions):
                    file.unlink(missing_ok=True)
        except BlockingIOError:
            return False
    return True


def _is_own_trace(path: Path) -> bool:
    """Whether a file is what a store's killed beginning leaves."""
    return path.name in names_of_lock(path.with_name(_LOCK)) or is_temporary(path)
