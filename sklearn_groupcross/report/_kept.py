"""What of a report is done, kept on disk so that a call that is stopped goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from .._files import written_whole

Arrays = dict[str, NDArray[Any]]
#: Ends the names of files: the digest of what follows, and arrays as safetensors.
SUFFIX = ".kept"
_DIGEST_SIZE = 16


class Kept:
    """Arrays by name, made once.

    Parameters
    ----------
    folder : path or None
        Of one report and no other: what lies in it is taken to be of a call with the same
        arguments. None keeps nothing.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self._folder = None if folder is None else Path(folder)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)

    def arrays(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        """Read the arrays of a name, or make and keep them."""
        if self._folder is None:
            return make()
        path = self._folder / f"{name}{SUFFIX}"
        with suppress(OSError, SafetensorError):  # not there, or of another kind
            with open(path, "rb") as file:
                digest, data = file.read(_DIGEST_SIZE), file.read()
            # a bit that has changed since would be shown as if it were so
            if digest == _digest(data):
                return load(data)
        made = make()
        data = save(made)
        with written_whole(path) as temporary, open(temporary, "wb") as file:
            file.write(_digest(data))
            file.write(data)
        return made

    def remove(self) -> None:
        """Forget it all, since the report is written; what others keep there stays."""
        if self._folder is None:
            return
        for path in self._folder.glob(f"*{SUFFIX}"):
            with suppress(OSError):
                path.unlink()
        for folder in (self._folder, self._folder.parent):
            with suppress(OSError):  # there is something else in it
                folder.rmdir()


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_SIZE).digest()
