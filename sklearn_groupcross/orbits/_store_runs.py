"""Small images, gathered until a write is worth while."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._store_writer import ChunkWriter

#: Bytes that are worth a write: to the disk takes as long as to write some of them.
BYTES_AT_ONCE = 4 * 2**20
# Seconds of work that a kill may cost besides the image in work.
_SECONDS = 1.0


class RunBuffer:
    """Images on their way to a writer, which has each of them within a second.

    Also while the next image takes long: then a thread writes those that wait, and its errors are
    raised when the next image comes. On leaving the ``with``, also by an error, the writer has all.

    Parameters
    ----------
    writer : ChunkWriter
        Open.
    """

    def __init__(self, writer: ChunkWriter) -> None:
        self._writer = writer
        self._images: list[int] = []
        self._rows: list[tuple[NDArray[Any], NDArray[Any]]] = []
        self._n_bytes, self._written_at = 0, time.monotonic()
        self._lock, self._timer = threading.Lock(), threading.Timer(_SECONDS, self._flush_late)
        self._error: Exception | None = None

    def __enter__(self) -> RunBuffer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.flush()

    def add(self, image: int, orbits: NDArray[Any], positions: NDArray[Any]) -> None:
        """Write an image as `ChunkWriter.write` does, now or soon."""
        with self._lock:
            if self._images and image != self._images[-1] + 1:
                self._flush()
            self._images.append(image)
            self._rows.append((orbits, positions))
            self._n_bytes += orbits.nbytes
            if self._n_bytes >= BYTES_AT_ONCE or time.monotonic() - self._written_at >= _SECONDS:
                self._flush()
            elif len(self._images) == 1:
                self._timer = threading.Timer(_SECONDS, self._flush_late)
                self._timer.daemon = True
                self._timer.start()
            self._raise()

    def flush(self) -> None:
        """Write what is there."""
        with self._lock:
            self._flush()
            self._raise()

    def _flush_late(self) -> None:
        with self._lock:
            try:
                self._flush()
            except Exception as error:  # raised where somebody is told
                self._error = error

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _flush(self) -> None:
        self._timer.cancel()
        images, rows = self._images, self._rows
        self._images, self._rows, self._n_bytes = [], [], 0
        if not images:
            return
        orbits, positions = (np.concatenate(part) for part in zip(*rows, strict=True))
        try:
            self._writer.write_run(images, orbits, positions)
        except ValueError:  # of one of them: those before it are right
            for image, row in zip(images, rows, strict=True):
                self._writer.write(image, *row)
        self._written_at = time.monotonic()
