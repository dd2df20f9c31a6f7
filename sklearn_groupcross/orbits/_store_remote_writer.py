"""Writing one chunk of a remote store: into files here, which are uploaded whole."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from numpy.typing import ArrayLike

from ._store_chunk import ChunkFiles
from ._store_format import Manifest
from ._store_remote import RemoteFolder
from ._store_remote_chunk import RemoteChunk
from ._store_writer import ChunkWriter

#: Seconds after which what is written so far is uploaded: a kill costs no more work than this.
UPLOAD_INTERVAL = 30.0


class RemoteChunkWriter(ChunkWriter):
    """Writes the images of one chunk to files of its own, and uploads them; see `ChunkWriter`.

    Of the three objects the journal is the last: an image is there when it says so. They are
    uploaded when the chunk is complete, when the ``with`` ends, and every `UPLOAD_INTERVAL`
    seconds. Object storage has no locks: a writer that finds that another has uploaded images of
    the chunk meanwhile uploads nothing more.

    Parameters
    ----------
    folder : RemoteFolder
    manifest : Manifest
    chunk : RemoteChunk
    """

    def __init__(self, folder: RemoteFolder, manifest: Manifest, chunk: RemoteChunk) -> None:
        super().__init__(Path(), manifest, chunk.chunk)
        self._folder, self._chunk = folder, chunk
        self._temporary: Path | None = None
        self._seen: dict[int, str] = {}
        self._is_lost = False

    def __enter__(self) -> RemoteChunkWriter:
        self._temporary = Path(tempfile.mkdtemp(prefix="groupcross-"))
        try:
            self._seen = self._chunk.journal.read()
            self._files = ChunkFiles(
                self._temporary, self._manifest, self._chunk.chunk, origin=str(self._folder)
            )
            if self._seen:
                if len(self._seen) < len(self._files.images):
                    self._chunk.download(self._temporary)
                self._files.journal.rewrite(self._seen)
            super().__enter__()
        except BaseException:
            self._remove()
            raise
        self._is_lost, self._uploaded_at = False, time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(kind, error, traceback)
            self._upload()
        finally:
            self._remove()

    def write_run(self, images: Sequence[int], orbits: ArrayLike, positions: ArrayLike) -> None:
        """Write all orbits of neighbouring images at once; see `ChunkWriter.write_run`."""
        super().write_run(images, orbits, positions)
        if not self.pending_images or time.monotonic() - self._uploaded_at > UPLOAD_INTERVAL:
            self._upload()

    def _upload(self) -> None:
        """Upload what is written, unless that is there already."""
        written = self._files.journal.read()
        if self._is_lost or written == self._seen:
            return
        if self._chunk.journal.read() != self._seen:
            self._is_lost = True
            raise BlockingIOError(
                f"Another process has written images of chunk {self._chunk.chunk} of "
                f"{self._folder} meanwhile. They stay, and what was written here since the last "
                "upload is left out. See to it that a chunk has one writer at a time."
            )
        try:
            for file in (self._files.orbits, self._files.positions):
                self._folder.upload(file.name, file)
            # last of all: without its line, an image is not there
            self._chunk.journal.rewrite(written)
        except BaseException:
            self._is_lost = True  # or the end would try once more
            raise
        self._seen, self._uploaded_at = written, time.monotonic()

    def _remove(self) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
