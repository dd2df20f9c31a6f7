"""The log of a run folder: what a person was told, with times."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

LOG = "run.log"
#: What commands say goes to this logger.
LOGGER = logging.getLogger("sklearn_groupcross.cli")
LOGGER.addHandler(logging.NullHandler())  # else Python prints warnings itself, a second time
# What other rooms log, such as how products are made, comes to this one as well.
_PACKAGE = logging.getLogger("sklearn_groupcross")

# A file's name need not be text, nor what is said fit one line.
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class _File(logging.FileHandler):
    """A log that cannot be written, as on a full disk, stops no work."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Pass over what cannot be written."""


class Log:
    """Keeps what is said until there is a file for it: a mistake leaves none behind."""

    def __init__(self) -> None:
        self._waiting = logging.handlers.MemoryHandler(
            capacity=10_000, flushLevel=logging.CRITICAL + 1, flushOnClose=False
        )
        self._file: _File | None = None
        self._level = _PACKAGE.level
        _PACKAGE.setLevel(logging.INFO)
        _PACKAGE.addHandler(self._waiting)

    def open(self, path: Path) -> None:
        """Write what was said to a file, after what is in it, and all that follows."""
        if self._file is not None:
            return
        if path.is_symlink():
            path.unlink()  # it is not ours, and may lead to anybody's file
        self._file = _File(path, encoding="utf-8", errors="backslashreplace")
        self._file.setFormatter(logging.Formatter(_FORMAT))
        self._waiting.setTarget(self._file)
        self._waiting.flush()
        _PACKAGE.removeHandler(self._waiting)
        _PACKAGE.addHandler(self._file)

    def close(self) -> None:
        """Leave the logger as it was."""
        _PACKAGE.removeHandler(self._waiting)
        self._waiting.close()
        if self._file is not None:
            _PACKAGE.removeHandler(self._file)
            self._file.close()
        _PACKAGE.setLevel(self._level)
