"""What of a report is done, kept on disk so that a call that is stopped goes on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load, save

from .._files import written_whole
from ._strongest import StrongestBlocks

Row = dict[str, Any]


class KeptRows:
    """Rows of a report by feature, and where features fire most.

    Parameters
    ----------
    folder : path or None
        Of one report: what lies in it is taken to be of a call with the same arguments. None keeps
        nothing.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self._folder = None if folder is None else Path(folder)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)

    def strongest(self, find: Callable[[], StrongestBlocks]) -> StrongestBlocks:
        """Read where features fire most, or find and keep it."""
        if self._folder is None:
            return find()
        path = self._folder / "strongest.safetensors"
        with suppress(OSError, TypeError, SafetensorError):  # not there, or not whole
            return StrongestBlocks(**load(path.read_bytes()))
        found = find()
        with written_whole(path) as temporary:
            temporary.write_bytes(save(found._asdict()))
        return found

    def row(self, feature: int, make: Callable[[], Row | None]) -> Row | None:
        """Read the row of a feature, or make and keep it; None if there is nothing to show."""
        if self._folder is None:
            return make()
        path = self._folder / f"feature-{feature}.json"
        with suppress(OSError, ValueError):
            kept: Row | None = json.loads(path.read_bytes())
            return kept
        # through JSON in either case, so that the page is the same
        content = json.dumps(make(), default=_plain).encode()
        with written_whole(path) as temporary:
            temporary.write_bytes(content)
        made: Row | None = json.loads(content)
        return made

    def remove(self) -> None:
        """Forget it all: the report is written."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _plain(value: Any) -> Any:
    """Numbers of numpy as those of Python."""
    return value.item()
