"""Where a store lies, and what is done there: a folder, or what `_store_remote` adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from .._files import written_whole
from ._plain_files import hold_lock
from ._store_chunk import Chunk, ChunkFiles
from ._store_format import Manifest
from ._store_images import StoredImage
from ._store_journal import Stamp
from ._store_making import extend_store, make_store
from ._store_mapping import Journals, MappedChunks
from ._store_writer import ChunkWriter


class Place(Journals, Protocol):
    """What a store asks of the place where it lies.

    Its chunks are its own: what takes some is given those that `chunks` gave.

    Attributes
    ----------
    path : Path or str
        As users are told.
    """

    @property
    def path(self) -> Path | str: ...
    def read_manifest(self) -> Manifest:
        """Read what the store is meant to hold; FileNotFoundError if there is none."""

    def make(self, plan: Manifest) -> None:
        """Make it without rows, or see that it is there; see `make_store`."""

    def extend(self, images: Sequence[StoredImage]) -> None:
        """Add images to its manifest; see `extend_store`."""

    def chunks(self, manifest: Manifest) -> Sequence[Chunk]:
        """All its chunks."""

    def mapped(self, manifest: Manifest, chunks: Sequence[Any], verify: bool) -> MappedChunks:
        """The arrays of all its chunks."""

    def journals(self, chunks: Sequence[Any]) -> Iterable[dict[int, str]]:
        """Read the journals of some chunks."""

    def stamps(self, chunks: Sequence[Any]) -> list[Stamp | None]:
        """Tell the journals of complete chunks from others; none is read."""

    def check(self, chunks: Sequence[Any]) -> None:
        """See that the arrays of some chunks have their sizes."""

    def writer(self, manifest: Manifest, chunk: int, timeout: float) -> ChunkWriter:
        """The writer of one chunk."""

    def held(self, files: Any) -> AbstractContextManager[None]:
        """Keep other writers of a chunk away where that can be done."""

    def n_bytes(self) -> int:
        """Bytes of all its files."""

    def read_file(self, name: str) -> bytes:
        """Read a small file beside the chunks."""

    def write_file(self, name: str, content: bytes) -> None:
        """Write one whole, in place of the one that is there."""


class LocalPlace:
    """A folder.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read_manifest(self) -> Manifest:
        return Manifest.read(self.path)

    def make(self, plan: Manifest) -> None:
        make_store(self.path, plan)

    def extend(self, images: Sequence[StoredImage]) -> None:
        extend_store(self.path, images)

    def chunks(self, manifest: Manifest) -> list[ChunkFiles]:
        return [ChunkFiles(self.path, manifest, chunk) for chunk in range(manifest.n_chunks)]

    def mapped(
        self, manifest: Manifest, chunks: Sequence[ChunkFiles], verify: bool
    ) -> MappedChunks:
        return MappedChunks(manifest, chunks, verify)

    def journals(self, chunks: Sequence[ChunkFiles]) -> Iterator[dict[int, str]]:
        return (files.journal.read() for files in chunks)

    def stamps(self, chunks: Sequence[ChunkFiles]) -> list[Stamp | None]:
        return [files.journal.stamp_if_full() for files in chunks]

    def check(self, chunks: Sequence[ChunkFiles]) -> None:
        for files in chunks:
            files.check("orbits")
            files.check("positions")

    def writer(self, manifest: Manifest, chunk: int, timeout: float) -> ChunkWriter:
        return ChunkWriter(self.path, manifest, chunk, timeout)

    def held(self, files: ChunkFiles) -> AbstractContextManager[None]:
        return hold_lock(files.lock, f"Chunk {files.chunk} of {self.path} is being written.")

    def n_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.path.iterdir() if file.is_file())

    def read_file(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def write_file(self, name: str, content: bytes) -> None:
        with written_whole(self.path / name, follow_links=False) as temporary:
            temporary.write_bytes(content)
