"""The files of one chunk of an orbit store: two arrays, and a journal of what is in them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from .._files import reserve_space, written_whole
from ._store_format import Manifest

_POSITIONS_DTYPE = np.dtype("<f4")


class ChunkFiles:
    """Where one chunk lies, and what its files are.

    An image is in the chunk when the journal has a line for it. The line is written after the
    image's rows have reached the disk, so that whatever stands there without one does not count.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    chunk : int

    Attributes
    ----------
    orbits, positions : Path
        ``.npy`` files of shape (n_rows, order, n_channels) and (n_rows, 2).
    journal : Path
        One line of JSON an image: its number, and the checksum of its rows.
    lock : Path
        Locked by the chunk's writer.
    """

    def __init__(self, folder: Path, manifest: Manifest, chunk: int) -> None:
        self.chunk = chunk
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
        self.journal = folder / f"{stem}.jsonl"
        self.lock = folder / f".{stem}.lock"

    # --- the journal ---------------------------------------------------------------------------

    def read_journal(self) -> dict[int, str]:
        """Checksums of the images that are there, by number.

        Raises
        ------
        ValueError
            If a line is damaged.
        """
        return self._parse_journal()[0]

    def cut_torn_line(self) -> dict[int, str]:
        """Drop what a killed writer left of its last line; only the chunk's writer may."""
        checksums, length = self._parse_journal()
        if self.journal.exists() and self.journal.stat().st_size > length:
            os.truncate(self.journal, length)
        return checksums

    def _parse_journal(self) -> tuple[dict[int, str], int]:
        """Checksums by image, and the length in bytes of the lines that are whole."""
        if not self.journal.exists():
            return {}, 0
        *lines, _ = self.journal.read_bytes().split(b"\n")  # what follows the last end is torn
        checksums: dict[int, str] = {}
        length = 0
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
                image, checksum = entry["image"], entry["sha256"]
            except (ValueError, TypeError, KeyError):
                image, checksum = None, ""
            if image not in self.images or image in checksums:
                if number == len(lines):
                    break  # after a power cut, a torn line may end in an end of line
                raise ValueError(
                    f"{self.journal} is damaged in line {number}. Remove that line, and its image "
                    "is pending again."
                )
            checksums[image] = checksum
            length += len(line) + 1
        return checksums, length

    def append_to_journal(self, image: int, checksum: str) -> None:
        """Say that an image's rows are there."""
        with open(self.journal, "ab") as file:
            file.write(_journal_line(image, checksum))
            file.flush()
            os.fsync(file.fileno())

    def rewrite_journal(self, checksums: dict[int, str]) -> None:
        """Replace the journal whole."""
        with written_whole(self.journal) as temporary, open(temporary, "wb") as file:
            file.writelines(_journal_line(*entry) for entry in checksums.items())
            file.flush()
            os.fsync(file.fileno())

    # --- the arrays ----------------------------------------------------------------------------

    def create(self) -> None:
        """Make both arrays in their full size, so that a full disk is found at once.

        Raises
        ------
        OSError
            If the folder is read-only or full; nothing is left behind.
        """
        for name, (dtype, shape) in self._kinds.items():
            path: Path = getattr(self, name)
            try:
                np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
                reserve_space(path)
            except OSError as error:
                path.unlink(missing_ok=True)
                error.filename = error.filename or str(path)
                raise
        # the new names have to reach the disk as well as what they name
        directory = os.open(self.orbits.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

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
        dtype, shape = self._kinds[name]
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: the journal beside it names its images.")
        with open(path, "rb") as file:
            try:
                np.lib.format.read_magic(file)
                found = np.lib.format.read_array_header_1_0(file)
            except Exception as error:  # numpy parses it as Python text: any error may come of it
                raise ValueError(f"{path} is damaged: its header cannot be read.") from error
            offset = file.tell()
        expected = (shape, False, dtype)
        if found != expected:
            raise ValueError(
                f"{path} is damaged: its header says {found[2]} of shape {found[0]}, the manifest "
                f"{dtype} of shape {shape}."
            )
        size = offset + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if path.stat().st_size != size:
            raise ValueError(
                f"{path} is damaged: it has {path.stat().st_size} bytes instead of {size}."
            )
        return offset

    def open_array(self, name: str) -> NDArray[Any]:
        """Map an array for reading."""
        offset = self.check(name)
        dtype, shape = self._kinds[name]
        # a plain array over the map: numpy indexes it faster than a memmap
        return np.memmap(getattr(self, name), dtype, "r", offset, shape).view(np.ndarray)

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
            with open(getattr(self, name), "rb") as file:
                file.seek(at)
                digest.update(file.read(length))
        return digest.hexdigest()


def write_at(file: BinaryIO, offset: int, array: NDArray[Any]) -> None:
    """Write an array's bytes at a place in a file.

    Through the file, not a map of it: on a file system that cannot reserve space, a full disk is
    then an error, not the end of the process.
    """
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


@contextmanager
def locked(path: Path, message: str, timeout: float = 0) -> Iterator[None]:
    """Hold a lock that the operating system frees when the process ends, however it ends.

    Raises
    ------
    BlockingIOError
        With that message, if another process or thread holds it longer than `timeout` seconds.
    OSError
        If the folder is read-only.
    """
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=timeout)
    except Timeout as error:
        raise BlockingIOError(message) from error
    try:
        yield
    finally:
        lock.release()


def _journal_line(image: int, checksum: str) -> bytes:
    return json.dumps({"image": image, "sha256": checksum}).encode() + b"\n"
