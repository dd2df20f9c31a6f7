"""Writing one chunk of an orbit store."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._stacks._rows import check_finite
from ._plain_files import hold_lock, open_plain, refuse_link
from ._store_chunk import ChunkFiles, checksum_of, write_at
from ._store_format import Manifest


class ChunkWriter:
    """Writes the images of one chunk; `OrbitStore.writer` makes it, and a ``with`` opens it.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    chunk : int
    timeout : float, default=0
        Seconds to wait for another writer of the chunk.

    Attributes
    ----------
    pending_images : list of int
        Numbers of the images still to be written.
    """

    def __init__(self, folder: Path, manifest: Manifest, chunk: int, timeout: float = 0) -> None:
        self._manifest, self._timeout = manifest, timeout
        self._files = ChunkFiles(folder, manifest, chunk)
        self._written: set[int] = set()
        self._arrays: dict[str, tuple[BinaryIO, int]] = {}
        self._open, self._is_open = ExitStack(), False

    def __enter__(self) -> ChunkWriter:
        files = self._files
        with ExitStack() as opened:
            opened.enter_context(
                hold_lock(
                    files.lock,
                    f"Chunk {files.chunk} of {files.orbits.parent} is being written by another "
                    "process or thread. Take another chunk, or wait.",
                    self._timeout,
                )
            )
            for path in (files.orbits, files.positions):
                refuse_link(path)
            self._written = set(files.journal.read_to_write())
            if self.pending_images:
                # rows to be written may have been there before, and somebody may be reading them
                files.renew(sorted(self._written))
                for name in ("orbits", "positions"):
                    offset = files.check(name)
                    file = opened.enter_context(open_plain(getattr(files, name), "r+b"))
                    self._arrays[name] = (file, offset)
            self._open, self._is_open = opened.pop_all(), True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._arrays, self._is_open = {}, False
        self._open.close()

    @property
    def pending_images(self) -> list[int]:
        """Numbers of the images still to be written."""
        return [image for image in self._files.images if image not in self._written]

    def n_rows(self, image: int) -> int:
        """Number of orbits that an image is to have."""
        return self._manifest.images[image].n_rows

    def write(self, image: int, orbits: ArrayLike, positions: ArrayLike) -> None:
        """Write all orbits of an image. When this returns, they are on the disk.

        Parameters
        ----------
        image : int
            One of `pending_images`.
        orbits : array-like of shape (n_rows, order, n_channels)
            Of any floating dtype; rounded to the store's.
        positions : array-like of shape (n_rows, 2)
            (column, row) in pixels from the image centre.

        Raises
        ------
        ValueError
            If the image is not pending here, a shape is wrong, or a value is not finite or too
            large for the store's dtype; the message names the image.
        OSError
            If the disk is full.
        RuntimeError
            Outside of the ``with``.
        """
        if not self._is_open:
            raise RuntimeError("A chunk is written within `with store.writer(chunk) as writer:`.")
        if image not in self._files.images or image in self._written:
            where = "is written already" if image in self._written else "is not in this chunk"
            raise ValueError(
                f"Image {image} {where}. Pending in chunk {self._files.chunk}: "
                f"{self.pending_images}."
            )
        image = int(image)
        name, _, n_rows = self._manifest.images[image]
        label = f"image {image} ({name!r})"
        shape = (n_rows, self._manifest.group.order, self._manifest.n_channels)
        rows = {
            "orbits": _as_finite(orbits, shape, self._manifest.dtype, f"The stack of {label}"),
            "positions": _as_finite(
                positions, (n_rows, 2), "float32", f"The array of positions of {label}"
            ),
        }
        first_row = self._manifest.row_in_chunk(self._files.chunk, image)
        for kind, array in rows.items():
            file, start = self._arrays[kind]
            write_at(file, start + self._files.span(kind, first_row, n_rows)[0], array)
        # last of all: without its line, an image that was half written is not there
        self._files.journal.append(image, checksum_of(*rows.values()))
        self._written.add(image)


def _as_finite(values: ArrayLike, shape: tuple[int, ...], dtype: str, label: str) -> NDArray[Any]:
    """Values as little-endian numbers of a dtype, which can hold them."""
    array = np.asarray(values)
    if array.shape != shape or array.dtype.kind != "f":
        raise ValueError(
            f"{label} has shape {array.shape} and dtype {array.dtype}; expected floating numbers "
            f"of shape {shape}."
        )
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and is refused below
        rounded = np.require(array, np.dtype(dtype).newbyteorder("<"), "C")
    if np.isfinite(rounded).all():
        return rounded
    check_finite(array, label=label)
    raise ValueError(
        f"{label} reaches {np.abs(array).max():g}, but {dtype} ends at {np.finfo(dtype).max:g}: "
        'write a store of dtype="float32", with extract(..., dtype="float32"), --dtype float32 or '
        'OrbitStore.create(..., dtype="float32").'
    )
