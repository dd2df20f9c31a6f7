"""A store on object storage, as a place like any other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from ._store_cache import ChunkCache
from ._store_chunk import Chunk
from ._store_difference import explain_difference
from ._store_format import Manifest
from ._store_images import StoredImage
from ._store_journal import Stamp
from ._store_remote import RemoteFolder
from ._store_remote_chunk import FetchedChunks, RemoteChunk, chunks_of, see_that_it_is_there
from ._store_remote_writer import RemoteChunkWriter
from ._store_schema import MANIFEST, parse_manifest


class RemotePlace:
    """Objects whose names begin with a URL; see `Place`.

    Parameters
    ----------
    folder : RemoteFolder
    cache : ChunkCache
        Where chunks that are read are kept.
    """

    def __init__(self, folder: RemoteFolder, cache: ChunkCache) -> None:
        self._folder, self._cache = folder, cache

    @property
    def path(self) -> str:
        return self._folder.url

    def read_manifest(self) -> Manifest:
        path = str(self._folder / MANIFEST)
        try:
            text = self._folder.read(MANIFEST)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"No orbit store at {self.path}: there is no object {path}."
            ) from error
        return Manifest.of(parse_manifest(text, path), path)

    def make(self, plan: Manifest) -> None:
        """Make a store without rows, or see that it is there.

        One of another configuration is replaced if no object of a chunk is there.

        Raises
        ------
        ValueError
            If there is something else, or a store of another configuration.
        """
        try:
            stored = self.read_manifest()
        except FileNotFoundError:
            if others := self._folder.listing():
                raise ValueError(
                    f"At {self.path} there are other objects, such as {min(others)!r}, and no "
                    "orbit store."
                ) from None
        else:
            difference = explain_difference(self.path, stored, plan)
            if difference and self._folder.listing().keys() - {MANIFEST}:
                raise ValueError(difference)
            if not difference:
                return
        self._folder.write(MANIFEST, plan.text())

    def extend(self, images: Sequence[StoredImage]) -> None:
        manifest = self.read_manifest().with_more(images)
        self._folder.write(MANIFEST, manifest.text())
        if self.read_manifest() != manifest:
            raise BlockingIOError(
                f"Another process has changed the manifest of {self.path} at the same time, and "
                "its images are the ones that stay. Append these again."
            )

    def chunks(self, manifest: Manifest) -> list[RemoteChunk]:
        return chunks_of(self._folder, manifest, self._cache)

    def mapped(
        self, manifest: Manifest, chunks: Sequence[RemoteChunk], verify: bool
    ) -> FetchedChunks:
        return FetchedChunks(manifest, chunks, verify)

    def journals(self, chunks: Sequence[RemoteChunk]) -> Iterator[dict[int, str]]:
        contents = self._folder.read_all([files.journal.path.name for files in chunks])
        for files, content in zip(chunks, contents, strict=True):
            if content is None and files is chunks[0]:
                see_that_it_is_there(self._folder)
            yield files.journal.checksums_of(content)

    def stamps(self, chunks: Sequence[RemoteChunk]) -> list[Stamp | None]:
        found = self._folder.listing()
        return [files.journal.stamp_of(found.get(files.journal.path.name)) for files in chunks]

    def check(self, chunks: Sequence[RemoteChunk]) -> None:
        listing = self._folder.listing() if chunks else {}
        for files in chunks:
            files.check(listing)

    def writer(self, manifest: Manifest, chunk: int, timeout: float) -> RemoteChunkWriter:
        files = RemoteChunk(self._folder, manifest, chunk, self._cache)
        return RemoteChunkWriter(self._folder, manifest, files)

    def held(self, files: Chunk) -> AbstractContextManager[None]:
        return nullcontext()

    def n_bytes(self) -> int:
        return sum(entry.size for entry in self._folder.listing().values())

    def read_file(self, name: str) -> bytes:
        return self._folder.read(name)

    def write_file(self, name: str, content: bytes) -> None:
        self._folder.write(name, content)
