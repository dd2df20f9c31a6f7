"""Writing one chunk of an orbit store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import torch
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
        """Number of orbits that an image is to have.

        Parameters
        ----------
        image : int
            Its number in the store.

        Returns
        -------
        n_rows : int
        """
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
        self.write_run([image], orbits, positions)

    def write_run(self, images: Sequence[int], orbits: ArrayLike, positions: ArrayLike) -> None:
        """Write all orbits of neighbouring images at once, as `write` does for one.

        Many small images reach the disk much sooner so; a kill loses all of them or none.

        Parameters
        ----------
        images : sequence of int
            Of `pending_images`, each the one after the other.
        orbits : array-like of shape (n_rows of all, order, n_channels)
        positions : array-like of shape (n_rows of all, 2)

        Raises
        ------
        ValueError, OSError, RuntimeError
            As `write`.
        """
        if not self._is_open:
            raise RuntimeError("A chunk is written within `with store.writer(chunk) as writer:`.")
        for image in images:
            self._check_pending(image)
        first = int(images[0])
        if list(images) != list(range(first, first + len(images))):
            raise ValueError(f"Images that are written at once are neighbours; got {list(images)}.")
        starts = self._manifest.row_starts[first : first + len(images) + 1]
        rows = {
            "orbits": self._finite_rows("orbits", first, starts - starts[0], np.asarray(orbits)),
            "positions": self._finite_rows(
                "positions", first, starts - starts[0], np.asarray(positions)
            ),
        }
        first_row = self._manifest.row_in_chunk(self._files.chunk, first)
        for kind, parts in rows.items():
            file, start = self._arrays[kind]
            array = np.concatenate(parts) if len(parts) > 1 else parts[0]
            write_at(file, start + self._files.span(kind, first_row, len(array))[0], array)
        # last of all: without its line, an image that was half written is not there
        checksums = map(checksum_of, rows["orbits"], rows["positions"])
        self._files.journal.append(dict(zip(map(int, images), checksums, strict=True)))
        self._written.update(map(int, images))

    def _check_pending(self, image: int) -> None:
        if image not in self._files.images or image in self._written:
            where = "is written already" if image in self._written else "is not in this chunk"
            raise ValueError(
                f"Image {image} {where}. Pending in chunk {self._files.chunk}: "
                f"{self.pending_images}."
            )

    def _finite_rows(
        self, kind: str, first: int, starts: NDArray[np.int64], values: NDArray[Any]
    ) -> list[NDArray[Any]]:
        """The rows of every image as they are to lie on disk."""
        what, row_shape, dtype = {
            "orbits": (
                "stack",
                (self._manifest.group.order, self._manifest.n_channels),
                self._manifest.dtype,
            ),
            "positions": ("array of positions", (2,), "float32"),
        }[kind]
        parts = [values] if len(starts) == 2 else np.split(values, starts[1:-1])
        rows = []
        for image, part in enumerate(parts, start=first):
            name, _, n_rows = self._manifest.images[image]
            label = f"The {what} of image {image} ({name!r})"
            rows.append(_as_finite(part, (n_rows, *row_shape), dtype, label))
        return rows


def _as_finite(values: ArrayLike, shape: tuple[int, ...], dtype: str, label: str) -> NDArray[Any]:
    """Values as little-endian numbers of a dtype, which can hold them."""
    array = np.asarray(values)
    if array.shape != shape or array.dtype.kind != "f":
        raise ValueError(
            f"{label} has shape {array.shape} and dtype {array.dtype}; expected floating numbers "
            f"of shape {shape}."
        )
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and is refused below
        rounded = np.require(_rounded(array, dtype), np.dtype(dtype).newbyteorder("<"), "C")
    if np.isfinite(rounded).all():
        return rounded
    check_finite(array, label=label)
    raise ValueError(
        f"{label} reaches {np.abs(array).max():g}, but {dtype} ends at {np.finfo(dtype).max:g}: "
        'write a store of dtype="float32", with extract(..., dtype="float32") or '
        'OrbitStore.create(..., dtype="float32").'
    )


def _rounded(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Float32 in float16: to the bit as numpy rounds, by instructions that it does not use."""
    if (array.dtype, dtype) != (np.float32, "float16") or not array.flags.writeable:
        return array
    return torch.from_numpy(array).to(torch.float16).numpy()
