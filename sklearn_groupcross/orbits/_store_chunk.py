"""The files of one chunk of an orbit store: two arrays, and a journal of what is in them."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from .._files import reserve_space, written_whole
from ._plain_files import named_in_errors, within_store
from ._store_format import Manifest
from ._store_journal import Journal

_POSITIONS_DTYPE = np.dtype("<f4")
# A header: this, its length in two bytes, its text.
_MAGIC, _TEXT_AT = b"\x93NUMPY\x01\x00", 10
_LONGEST_HEADER = 4096
_COPIED_AT_ONCE = 2**22
_HOW_TO_MEND = (
    " OrbitStore.discard of its images, or groupcross store verify --discard, has them written "
    "again by what wrote them."
)


class Chunk(Protocol):
    """What reading asks of a chunk, wherever it lies; `ChunkFiles` says what each member is."""

    chunk: int
    images: range
    # of the array files: a path, or what is written as one
    orbits: Any
    positions: Any

    @property
    def journal(self) -> Journal: ...
    def open_array(self, name: str) -> NDArray[Any]: ...
    def local_copy(self) -> AbstractContextManager[ChunkFiles]: ...


class ChunkFiles:
    """Where one chunk lies, and what its files are.

    An image is in the chunk when the journal has a line for it. The line is written after the
    image's rows have reached the disk, so that whatever stands there without one does not count.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    chunk : int
    origin : str, optional
        What errors name in place of the folder, where that is a copy. Default: the folder.

    Attributes
    ----------
    orbits, positions : Path
        ``.npy`` files of shape (n_rows, order, n_channels) and (n_rows, 2).
    journal : Journal
        ``.jsonl`` file that names the images that are there, with the checksums of their rows.
    lock : Path
        Locked by the chunk's writer.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, chunk: int, origin: str | None = None
    ) -> None:
        self.chunk = chunk
        self._manifest = manifest
        self._origin = origin
        self.images = manifest.images_of(chunk)
        n_rows = manifest.rows_of(chunk)
        self._kinds = {
            "orbits": (
                np.dtype(manifest.dtype).newbyteorder("<"),
                (n_rows, manifest.group.order, manifest.n_channels),
            ),
            "positions": (_POSITIONS_DTYPE, (n_rows, 2)),
        }
        stem = f"chunk-{chunk:05d}"
        self.orbits = folder / f"{stem}.npy"
        self.positions = folder / f"{stem}.positions.npy"
        self.journal = Journal(folder / f"{stem}.jsonl", self.images)
        self.lock = folder / f".{stem}.lock"

    # --- the arrays ----------------------------------------------------------------------------

    def renew(self, kept: Iterable[int]) -> None:
        """Make both arrays as new files in their full size, with the rows of some images.

        Whoever reads the old ones goes on with what they hold: a file is never cut, nor written to
        where somebody may be reading. A full disk is found at once, and leaves things as they are.

        Parameters
        ----------
        kept : iterable of int
            Images whose rows are taken over, in increasing order.

        Raises
        ------
        ValueError, OSError
            If the folder is read-only or full, or rows that are to be kept are not there.
        """
        spans = [self._rows_of(image) for image in kept]
        with within_store(self.orbits.parent), ExitStack() as opened:
            for name, (dtype, shape) in self._kinds.items():
                path: Path = getattr(self, name)
                new = opened.enter_context(written_whole(path, follow_links=False))
                header = npy_header(dtype, shape)
                with open(new, "wb") as file:
                    file.write(header)
                    file.truncate(len(header) + self.span(name, 0, shape[0])[1])
                    if spans:
                        self._copy_rows(name, spans, file, len(header))
                reserve_space(new)

    def _copy_rows(
        self, name: str, spans: Sequence[tuple[int, int]], target: BinaryIO, offset: int
    ) -> None:
        """Copy rows to their place in a file whose array begins at an offset."""
        path: Path = getattr(self, name)
        start = self.check(name)
        with open(path, "rb") as source:
            for span in spans:
                at, length = self.span(name, *span)
                source.seek(start + at)
                target.seek(offset + at)
                while length:
                    part = source.read(min(length, _COPIED_AT_ONCE))
                    if not part:
                        raise ValueError(
                            f"{self._said(path)} is damaged: it ended while rows were copied."
                        )
                    target.write(part)
                    length -= len(part)

    def _rows_of(self, image: int) -> tuple[int, int]:
        """First row of an image, and how many it has."""
        first = self._manifest.row_in_chunk(self.chunk, image)
        return first, self._manifest.images[image].n_rows

    def check(self, name: str) -> int:
        """Check that an array's file is whole, by its header and size.

        Parameters
        ----------
        name : {"orbits", "positions"}

        Returns
        -------
        offset : int
            Where the array begins in the file.

        Raises
        ------
        FileNotFoundError, ValueError
            Naming the file.
        """
        path: Path = getattr(self, name)
        with within_store(path.parent):
            if not path.is_file():
                raise FileNotFoundError(
                    f"{self._said(path)} is missing: the journal beside it names its images."
                    f"{_HOW_TO_MEND}"
                )
            with open(path, "rb") as file:
                offset = self.offset(name, file.read(_LONGEST_HEADER))
                found = os.fstat(file.fileno()).st_size
        _, shape = self._kinds[name]
        size = offset + self.span(name, 0, shape[0])[1]
        if found != size:
            raise ValueError(
                f"{self._said(path)} is damaged: it has {found} bytes instead of "
                f"{size}.{_HOW_TO_MEND}"
            )
        return offset

    def offset(self, name: str, beginning: bytes) -> int:
        """Where the array begins in a file, by the beginning of the file.

        Raises
        ------
        ValueError
            If that is not the header of this array.
        """
        # texts are compared, since numpy's own reading evaluates them; versions of numpy differ in
        # the spaces after it
        text = npy_header(*self._kinds[name])[_TEXT_AT:].rstrip()
        magic = beginning[: len(_MAGIC)]
        length = int.from_bytes(beginning[len(_MAGIC) : _TEXT_AT], "little")
        found = beginning[_TEXT_AT : _TEXT_AT + length]
        if magic != _MAGIC or len(found) != length or found.rstrip(b" \n") != text:
            raise ValueError(
                f"{self._said(getattr(self, name))} is damaged: its header says "
                f"{magic + found[:80].rstrip()!r}, and by the manifest {_MAGIC + text!r}."
                f"{_HOW_TO_MEND}"
            )
        return _TEXT_AT + length

    def _said(self, path: Path) -> str:
        return str(path) if self._origin is None else f"{self._origin}/{path.name}"

    def open_array(self, name: str) -> NDArray[Any]:
        """Map an array for reading."""
        path: Path = getattr(self, name)
        offset = self.check(name)
        dtype, shape = self._kinds[name]
        with within_store(path.parent):
            # a plain array over the map: numpy indexes it faster than a memmap
            return np.memmap(path, dtype, "r", offset, shape).view(np.ndarray)

    @contextmanager
    def local_copy(self) -> Iterator[ChunkFiles]:
        """Files that can be read here, for a while: these."""
        yield self

    def row_shape(self, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """Type and shape of a row of an array."""
        dtype, shape = self._kinds[name]
        return dtype, shape[1:]

    @property
    def n_rows(self) -> int:
        """Number of rows when it is complete."""
        return self._kinds["orbits"][1][0]

    def span(self, name: str, first_row: int, n_rows: int) -> tuple[int, int]:
        """Where rows lie within an array: offset and length in bytes."""
        dtype, shape = self._kinds[name]
        row = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        return first_row * row, n_rows * row

    def read_checksum(self, first_row: int, n_rows: int) -> str:
        """Checksum of rows as they are on disk.

        The files are read, not mapped: a disk that fails is then an error, not the end of the
        process.
        """
        digest = hashlib.sha256()
        for name in self._kinds:
            at, length = self.span(name, first_row, n_rows)
            at += self.check(name)
            path: Path = getattr(self, name)
            with within_store(path.parent), open(path, "rb") as file, named_in_errors(path):
                file.seek(at)
                digest.update(file.read(length))
        return digest.hexdigest()


def write_at(file: BinaryIO, offset: int, array: NDArray[Any]) -> None:
    """Write an array's bytes at a place in a file.

    Through the file, not a map of it: on a file system that cannot reserve space, a full disk is
    then an error, not the end of the process.
    """
    with named_in_errors(Path(file.name)):
        file.seek(offset)
        file.write(array.reshape(-1).view(np.uint8).data)
        file.flush()
        os.fsync(file.fileno())


def checksum_of(*arrays: NDArray[Any]) -> str:
    """Checksum of rows in memory: of the orbits', then of the positions' bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Header of a ``.npy`` file, version 1.0."""
    header = io.BytesIO()
    description = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(
        header, {"descr": description, "fortran_order": False, "shape": shape}
    )
    return header.getvalue()
