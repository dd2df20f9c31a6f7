"""Reading a chunk of a remote store: from a verified copy in the cache, or rows alone."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._store_cache import ChunkCache
from ._store_chunk import ChunkFiles
from ._store_format import Manifest
from ._store_journal import Journal, Stamp, seal_of
from ._store_mapping import MappedChunks
from ._store_remote import Entry, RemoteFile, RemoteFolder
from ._store_schema import MANIFEST

# Where a cache cannot hold the store, a chunk is fetched whole for this share of its rows.
_DENSE = 0.25
# A header of an array is shorter.
_BEGINNING = 4096
#: What a copy of a chunk may take beside its rows.
HEADERS = 2 * _BEGINNING
# A chunk that is written to while it is fetched is fetched again, so many times.
_TRIES = 3


class RemoteJournal(Journal):
    """The journal of a remote chunk: an object that is written whole.

    Parameters
    ----------
    folder : RemoteFolder
    name : str
    images : range
    """

    path: RemoteFile  # type: ignore[assignment]

    def __init__(self, folder: RemoteFolder, name: str, images: range) -> None:
        self.path = folder / name
        self.images = images
        self._folder = folder

    def stamp_if_full(self) -> Stamp | None:
        """Of a journal that is as long as one that names all images; it is not read."""
        return self.stamp_of(self._folder.entry(self.path.name))

    def stamp_of(self, entry: Entry | None) -> Stamp | None:
        """The same, by what a listing says."""
        return None if entry is None or entry.size != self.full_length else tuple(entry)

    def read_to_write(self) -> dict[int, str]:
        """Read it: an object has no torn end, and no other name."""
        return self.read()

    def rewrite(self, checksums: dict[int, str]) -> None:
        """Replace it whole."""
        self._folder.write(self.path.name, self.text(checksums))

    def checksums_of(self, content: bytes | None) -> dict[int, str]:
        """Checksums by image, of what was read, or None of no object."""
        content = b"" if content is None else content
        self.check_size(len(content))
        return self.parse(content)[0]

    def _content(self) -> bytes:
        try:
            content = self._folder.read(self.path.name)
        except FileNotFoundError:
            see_that_it_is_there(self._folder)
            return b""
        self.check_size(len(content))
        return content


def see_that_it_is_there(folder: RemoteFolder) -> None:
    """Say that a store is gone: a store without objects would be one in which all is pending.

    Raises
    ------
    FileNotFoundError
    """
    folder.read_ranges(MANIFEST, [0], [1])


class RemoteChunk:
    """Where one chunk of a remote store lies, and how it is read.

    A copy in the cache is named after the chunk's journal, with whose checksums all of it was
    compared when it was fetched.

    Parameters
    ----------
    folder : RemoteFolder
    manifest : Manifest
    chunk : int
    cache : ChunkCache

    Attributes
    ----------
    orbits, positions : RemoteFile
    journal : RemoteJournal
    """

    def __init__(
        self, folder: RemoteFolder, manifest: Manifest, chunk: int, cache: ChunkCache
    ) -> None:
        self._folder, self._manifest, self._cache = folder, manifest, cache
        self.chunk, self.images = chunk, manifest.images_of(chunk)
        # names and shapes are those of a folder here
        self._plan = self._files_in(Path())
        self.orbits = folder / self._plan.orbits.name
        self.positions = folder / self._plan.positions.name
        self.journal = RemoteJournal(folder, self._plan.journal.path.name, self.images)
        self._key: str | None = None
        self._offsets: dict[str, int] = {}

    def _files_in(self, folder: Path) -> ChunkFiles:
        return ChunkFiles(folder, self._manifest, self.chunk, origin=str(self._folder))

    @property
    def n_bytes(self) -> int:
        """What a copy takes, but for headers."""
        spans = (self._plan.span(name, 0, self._plan.n_rows) for name in ("orbits", "positions"))
        return sum(length for _, length in spans) + HEADERS

    # --- whole -----------------------------------------------------------------------------------

    def is_copied(self) -> bool:
        """Whether the copy that was opened last is there; it counts as used now."""
        return self._key is not None and self._cache.find(self._key) is not None

    def note(self, seal: bytes) -> None:
        """Say by what seal of the journal a copy is known."""
        place = hashlib.blake2b(str(self._folder).encode(), digest_size=8).hexdigest()
        self._key = f"{place}-{self.chunk:05d}-{seal.hex()}"

    def fetch(self, checksums: dict[int, str]) -> None:
        """Make a copy, in which images have these checksums, unless there is one."""
        self.note(seal_of(checksums))
        assert self._key is not None
        self._cache.fetch(self._key, self.n_bytes, partial(self._fill, checksums))

    def open_array(self, name: str) -> NDArray[Any]:
        """Map an array of the copy for reading."""
        assert self._key is not None
        return self._files_in(self._cache.folder / self._key).open_array(name)

    def _fill(self, checksums: dict[int, str], folder: Path) -> None:
        """Fetch the arrays and see that they hold what the journal says."""
        files = self.download(folder)
        for image, checksum in sorted(checksums.items()):
            name, _, n_rows = self._manifest.images[image]
            first = self._manifest.row_in_chunk(self.chunk, image)
            if files.read_checksum(first, n_rows) != checksum:
                raise ValueError(
                    f"{self.orbits} or {self.positions.name} is damaged: rows {first} to "
                    f"{first + n_rows - 1}, image {image} ({name!r}), are not what was written. "
                    f"OrbitStore.discard([{image}]) has it written again."
                )

    def download(self, folder: Path) -> ChunkFiles:
        """Fetch the arrays into a folder; their sizes are checked, and not their content."""
        files = self._files_in(folder)
        for name in ("orbits", "positions"):
            path: Path = getattr(files, name)
            try:
                self._folder.download(path.name, path)
            except FileNotFoundError:
                path.unlink(missing_ok=True)  # and what is missing is said by the check
            files.check(name)
        return files

    def check(self, listing: Mapping[str, Entry]) -> None:
        """See that the arrays have their sizes, by what a listing says.

        Raises
        ------
        FileNotFoundError, ValueError
            Naming the object.
        """
        for name in ("orbits", "positions"):
            file: RemoteFile = getattr(self, name)
            if file.name not in listing:
                raise FileNotFoundError(
                    f"{file} is missing: the journal beside it names its images."
                )
            size, least = listing[file.name].size, self._plan.span(name, 0, self._plan.n_rows)[1]
            if not least < size <= least + _BEGINNING:
                raise ValueError(
                    f"{file} is damaged: it has {size} bytes, and its rows alone {least}."
                )

    @contextmanager
    def local_copy(self) -> Iterator[ChunkFiles]:
        """Files that can be read here, for a while: fetched anew, whatever is in the cache."""
        with tempfile.TemporaryDirectory(prefix="groupcross-") as folder:
            yield self.download(Path(folder))

    # --- rows ------------------------------------------------------------------------------------

    def is_better_in_parts(self, name: str, n_wanted: int) -> bool:
        """Whether rows are to be read alone, since their chunk would not stay in the cache."""
        cache = self._cache
        if cache.max_bytes and self.is_copied():
            return False
        if name == "positions" or not cache.max_bytes:
            return True
        manifest = self._manifest
        row_bytes = manifest.row_bytes + 8  # with its position
        store_bytes = int(manifest.row_starts[-1]) * row_bytes + manifest.n_chunks * HEADERS
        return not (
            store_bytes <= cache.max_bytes
            or n_wanted >= _DENSE * self._plan.n_rows
            or cache.has_room(self.n_bytes)
        )

    def read_rows(self, name: str, rows: NDArray[np.int64], blocks: slice) -> NDArray[Any]:
        """Read some blocks of some rows, neighbours at once."""
        dtype, row_shape = self._plan.row_shape(name)
        row_bytes = self._plan.span(name, 1, 0)[0]
        first, last, _ = blocks.indices(row_shape[0])
        block_bytes = row_bytes // row_shape[0]
        wanted_bytes = block_bytes * (last - first)
        offset = self._offset(name) + block_bytes * first
        # where rows are whole, those that follow one another are one part of the file
        is_start = np.ones(len(rows), dtype=bool)
        if wanted_bytes == row_bytes:
            is_start[1:] = rows[1:] != rows[:-1] + 1
        starts = rows[is_start]
        lengths = np.diff(np.flatnonzero(np.append(is_start, True)))
        first_bytes = offset + starts * row_bytes
        last_bytes = first_bytes + (lengths - 1) * row_bytes + wanted_bytes
        file: RemoteFile = getattr(self, name)
        parts = self._folder.read_ranges(file.name, first_bytes.tolist(), last_bytes.tolist())
        content = b"".join(parts)
        if len(content) != len(rows) * wanted_bytes:
            raise ValueError(f"{file} is damaged: it ended while rows were read.")
        return np.frombuffer(content, dtype).reshape(len(rows), last - first, *row_shape[1:])

    def _offset(self, name: str) -> int:
        if name not in self._offsets:
            file: RemoteFile = getattr(self, name)
            beginning = self._folder.read_ranges(file.name, [0], [_BEGINNING])[0]
            self._offsets[name] = self._plan.offset(name, beginning)
        return self._offsets[name]


class FetchedChunks(MappedChunks):
    """The arrays of all chunks of a remote store; see `MappedChunks`."""

    files: Sequence[RemoteChunk]

    def __init__(self, manifest: Manifest, files: Sequence[RemoteChunk], verify: bool) -> None:
        # fetched chunks were verified already, and no other way is taken then
        super().__init__(manifest, files, verify=False)
        self._is_whole = verify
        self._noted: set[int] = set()
        self._unchanged_at_first: set[int] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_noted": set(), "_unchanged_at_first": set()}

    def read(
        self, name: str, chunk: int, rows: NDArray[np.int64], blocks: slice
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        files = self.files[chunk]
        if chunk not in self._noted:
            # a copy of what was there at the snapshot is right, whatever is there now
            seal = None if self.snapshot is None else self.snapshot.seals[chunk]
            files.note(seal if isinstance(seal, bytes) else seal_of(self._unchanged(chunk)))
            self._noted.add(chunk)
        if self._is_whole or not files.is_better_in_parts(name, len(rows)):
            return self._map(name, chunk)[:, blocks], rows
        if chunk not in self._unchanged_at_first:
            self._unchanged(chunk)
            self._unchanged_at_first.add(chunk)
        return files.read_rows(name, rows, blocks), np.arange(len(rows))

    def _map(self, name: str, chunk: int) -> NDArray[Any]:
        files, key = self.files[chunk], (name, chunk)
        for attempt in range(_TRIES):
            if files.is_copied():
                if key in self._maps:
                    return self._maps[key]
            else:
                # of copies that went, the disk keeps what is mapped
                self._maps = {k: a for k, a in self._maps.items() if self.files[k[1]].is_copied()}
                try:
                    files.fetch(self._unchanged(chunk))
                except (ValueError, FileNotFoundError):
                    if attempt == _TRIES - 1:
                        raise
                    continue  # it may be written to just now
            try:
                self._maps[key] = files.open_array(name)
            except FileNotFoundError:
                if attempt == _TRIES - 1:
                    raise  # and else another process has made room meanwhile
        return self._maps[key]


def chunks_of(folder: RemoteFolder, manifest: Manifest, cache: ChunkCache) -> list[RemoteChunk]:
    """All chunks of a store."""
    return [RemoteChunk(folder, manifest, chunk, cache) for chunk in range(manifest.n_chunks)]
