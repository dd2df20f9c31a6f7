"""Chunks of a store mapped into memory, held against what was there when reading began."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ._store_chunk import Chunk, checksum_of
from ._store_format import Manifest
from ._store_journal import Stamp, seal_of


class Journals(Protocol):
    """What a snapshot asks of the place where a store lies; see `Place`."""

    def journals(self, chunks: Sequence[Any]) -> Iterable[dict[int, str]]: ...
    def stamps(self, chunks: Sequence[Any]) -> list[Stamp | None]: ...
    def check(self, chunks: Sequence[Any]) -> None: ...


@dataclass(frozen=True)
class Snapshot:
    """Which images were there at one moment.

    Attributes
    ----------
    pending : tuple of int
        Numbers of the images that were not there.
    seals : tuple of bytes, Stamp or None
        Of each chunk, one digest of the images that were there and of their checksums. Of a
        complete chunk whose journal was not read, what tells this journal from others; None where
        whatever a complete chunk holds is right.
    """

    pending: tuple[int, ...]
    seals: tuple[bytes | Stamp | None, ...]

    @classmethod
    def take(cls, place: Journals, chunks: Sequence[Chunk], *, reads_all: bool) -> Snapshot:
        """See which images are there, and that the files which are spoken of have their size.

        Parameters
        ----------
        place : Journals
        chunks : sequence of ChunkFiles
            All of the store.
        reads_all : bool
            Read all journals. Otherwise those that have the length of a complete one are read
            when rows of their chunk are.

        Raises
        ------
        ValueError, OSError
            Naming the file that is damaged.
        """
        seals: list[bytes | Stamp | None] = [None] * len(chunks)
        if not reads_all:
            seals = list(place.stamps(chunks))
        pending: list[int] = []
        unknown = [files for files, stamp in zip(chunks, seals, strict=True) if stamp is None]
        with_rows: list[Chunk] = []
        for files, checksums in zip(unknown, place.journals(unknown), strict=True):
            if checksums:
                with_rows.append(files)
            pending.extend(image for image in files.images if image not in checksums)
            seals[files.chunk] = seal_of(checksums)
        # before anything of the size that the manifest claims is made room for
        place.check(with_rows)
        return cls(tuple(pending), tuple(seals))

    def __getstate__(self) -> dict[str, Any]:
        # on another machine, a copy of the same journal has another stamp
        seals = tuple(seal if isinstance(seal, bytes) else None for seal in self.seals)
        return {"pending": self.pending, "seals": seals}


class MappedChunks:
    """The arrays of all chunks; each is mapped when rows of it are first read.

    A chunk whose images were discarded or written anew since the snapshot is not mapped any more:
    that is an error. What is mapped already stays as it was, since writers make new files.

    Parameters
    ----------
    manifest : Manifest
    files : sequence of ChunkFiles
    verify : bool
        Compare each image with its checksum the first time that rows of it are read.
    """

    def __init__(self, manifest: Manifest, files: Sequence[Chunk], verify: bool) -> None:
        self.files = files
        self.snapshot: Snapshot | None = None
        self._manifest, self._verify = manifest, verify
        self._maps: dict[tuple[str, int], NDArray[Any]] = {}
        self._unverified: dict[int, dict[int, str]] = {}

    def __getstate__(self) -> dict[str, Any]:
        # another process maps the files itself
        return {**self.__dict__, "_maps": {}, "_unverified": {}}

    def read(
        self, name: str, chunk: int, rows: NDArray[np.int64], blocks: slice
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Give an array from which rows of a chunk are to be copied.

        Parameters
        ----------
        name : {"orbits", "positions"}
        chunk : int
        rows : ndarray of int
            Rows within the chunk, increasing.
        blocks : slice
            Which are wanted of each row; the array has no others.

        Returns
        -------
        array : ndarray
        rows : ndarray of int
            Where the rows lie in it.

        Raises
        ------
        ValueError
            If the store has changed, a file is damaged, or with `verify` an image is not what was
            written.
        OSError
            If a file is gone.
        """
        if self._verify:
            self._verify_images(chunk, rows)
        return self._map(name, chunk)[:, blocks], rows

    def _map(self, name: str, chunk: int) -> NDArray[Any]:
        key = (name, chunk)
        if key not in self._maps:
            files = self.files[chunk]
            array = files.open_array(name)
            # after it is mapped: what is found unchanged now is what the map holds for good
            checksums = self._unchanged(chunk)
            self._unverified.setdefault(chunk, checksums if self._verify else {})
            self._maps[key] = array
        return self._maps[key]

    def _unchanged(self, chunk: int) -> dict[int, str]:
        """Checksums of a chunk's images, which are those of the snapshot."""
        files = self.files[chunk]
        checksums = files.journal.read()
        if self.snapshot is None:  # rows are counted by it
            raise RuntimeError("Rows were asked for before it was known which there are.")
        seal = self.snapshot.seals[chunk]
        if isinstance(seal, bytes):
            absent = set(self.snapshot.pending).intersection(files.images)
            present = {image: c for image, c in checksums.items() if image not in absent}
            is_same = seal_of(present) == seal
        else:
            present = checksums
            is_same = len(present) == len(files.images) and (
                # asked for after the journal was read, which was then the one that it tells
                seal is None or files.journal.stamp_if_full() == seal
            )
        if not is_same:
            raise ValueError(
                f"The store at {files.orbits.parent} has changed since it was opened: images of "
                f"{files.orbits.name} were discarded or written anew. Open it again."
            )
        return present

    def _verify_images(self, chunk: int, rows: NDArray[np.int64]) -> None:
        """Compare the images of some rows with their checksums, unless that is done already."""
        orbits, positions = self._map("orbits", chunk), self._map("positions", chunk)
        unverified = self._unverified[chunk]
        if not unverified:
            return
        files, starts = self.files[chunk], self._manifest.row_starts
        first, stop = files.images.start, files.images.stop
        ends = starts[first + 1 : stop + 1] - starts[first]
        for image in (first + np.unique(np.searchsorted(ends, rows, side="right"))).tolist():
            checksum = unverified.get(image)
            if checksum is None:
                continue
            at = self._manifest.row_in_chunk(chunk, image)
            name, _, n_rows = self._manifest.images[image]
            span = slice(at, at + n_rows)
            if checksum_of(orbits[span], positions[span]) != checksum:
                raise ValueError(
                    f"{files.orbits} or {files.positions.name} is damaged: rows {at} to "
                    f"{at + n_rows - 1}, image {image} ({name!r}), are not what was written. "
                    f"OrbitStore.discard([{image}]), or groupcross store verify --discard, has it "
                    "written again by what wrote it."
                )
            unverified.pop(image, None)  # another thread may have verified it meanwhile


class ChunkedArray:
    """One array over the files of all chunks; each is mapped when it is first read.

    Parameters
    ----------
    name : {"orbits", "positions"}
    chunks : MappedChunks
    starts : ndarray of shape (n_chunks,)
        First row of each chunk.
    row_shape : tuple of int
    dtype : numpy.dtype
    """

    def __init__(
        self,
        name: str,
        chunks: MappedChunks,
        starts: NDArray[np.int64],
        row_shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        self._name, self._chunks, self._starts = name, chunks, starts
        self._row_shape, self._dtype = row_shape, dtype

    def gather(
        self, rows: NDArray[np.int64], parts: tuple[slice, ...], shape: tuple[int, ...]
    ) -> NDArray[Any]:
        """Copy rows into a new array.

        Parameters
        ----------
        rows : ndarray of int of shape (n,)
            In any order, repetitions included.
        parts : tuple of slice
            Which part of each row is wanted.
        shape : tuple of int
            The shape of that part.

        Returns
        -------
        gathered : ndarray of shape (n, *shape)
        """
        out = np.empty((len(rows), *shape), dtype=self._dtype)
        if len(rows) == 0:
            return out
        # chunk by chunk and in the order on disk, whatever the order that is asked for
        order = None if (rows[1:] >= rows[:-1]).all() else np.argsort(rows, kind="stable")
        ordered = rows if order is None else rows[order]
        first, last = np.searchsorted(self._starts, ordered[[0, -1]], side="right") - 1
        chunks = range(int(first), int(last) + 1)
        bounds = [0, *np.searchsorted(ordered, self._starts[chunks[1:]]).tolist(), len(rows)]
        for chunk, start, stop in zip(chunks, bounds[:-1], bounds[1:], strict=True):
            if start == stop:
                continue
            local = ordered[start:stop] - self._starts[chunk]
            at: Any
            source, at = self._chunks.read(self._name, chunk, local, parts[0])
            target: Any = slice(start, stop) if order is None else order[start:stop]
            if (at[1:] == at[:-1] + 1).all():
                out[target] = source[(slice(at[0], at[-1] + 1), slice(None), *parts[1:])]
            elif order is None and shape == self._row_shape:
                # take into place: fancy indexing would copy twice ("clip": "raise" would as well)
                np.take(source, at, axis=0, out=out[target], mode="clip")
            else:
                out[target] = source[(at, slice(None), *parts[1:])]
        return out
