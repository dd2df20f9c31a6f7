"""What an orbit store on disk consists of: its manifest and the plan of its chunks."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..groups import FiniteGroup, group_from_json, group_to_json
from ._store_images import ImageTable, StoredImage, encodable
from ._store_schema import (
    MANIFEST,
    MANY_IMAGES,
    AnyContent,
    ImageColumns,
    ManifestContent,
    ManyImagesContent,
    check_size,
    manifest_text,
    problem_of_layers,
    read_manifest,
    write_manifest,
)

DTYPES = ("float16", "float32")


@dataclass(frozen=True)
class Manifest:
    """What a store is meant to hold; which of it is there, the chunks' journals say.

    Attributes
    ----------
    group : FiniteGroup
    n_channels : int
    dtype : str
        ``"float16"`` or ``"float32"``.
    metadata : dict
        What JSON can hold.
    images : ImageTable
        Rows are in their order.
    chunk_starts : tuple of int
        First image of each chunk.
    chunk_bytes : int
        Size that chunks were planned for.
    """

    group: FiniteGroup
    n_channels: int
    dtype: str
    metadata: dict[str, Any]
    images: ImageTable
    chunk_starts: tuple[int, ...]
    chunk_bytes: int

    @classmethod
    def plan(
        cls,
        *,
        group: FiniteGroup,
        n_channels: int,
        dtype: str,
        metadata: Mapping[str, Any],
        images: Sequence[StoredImage],
        chunk_bytes: int,
    ) -> Manifest:
        """Check what a store is to hold and cut it into chunks.

        Raises
        ------
        ValueError
            Naming what is wrong.
        """
        group_to_json(group)  # not only when it is written, after a folder was made
        if n_channels < 1 or chunk_bytes < 1:
            raise ValueError(
                "n_channels and chunk_bytes are at least 1; "
                f"got n_channels={n_channels}, chunk_bytes={chunk_bytes}."
            )
        with suppress(TypeError):  # no name of any dtype
            dtype = np.dtype(dtype).name
        if dtype not in DTYPES:
            raise ValueError(f"A store's dtype is float16 or float32; got {dtype}.")
        empty = cls(
            group,
            int(n_channels),
            dtype,
            as_json(metadata),
            ImageTable.of([]),
            (),
            int(chunk_bytes),
        )
        if problem := problem_of_layers(empty.metadata, empty.n_channels):
            raise ValueError(f"{problem}.")
        return empty.with_more(images)

    def with_more(self, images: Sequence[StoredImage]) -> Manifest:
        """Add images, in chunks of their own: those that are there may be in work.

        Raises
        ------
        ValueError
            If there are none, one has no rows, or one is in the store already.
        """
        try:
            more = ImageTable.of(images)
        except OverflowError as error:
            raise ValueError(f"An image has more rows than any disk holds: {error}.") from error
        if not more:
            raise ValueError("A store holds at least one image; the list of images is empty.")
        if (more.n_rows < 1).any():
            image = more[int(np.argmin(more.n_rows))]
            raise ValueError(f"Image {image.name!r} has n_rows={image.n_rows}; at least 1.")
        known = dict(zip(self.images.digests, self.images.names, strict=True))
        for name, digest in zip(more.names, more.digests, strict=True):
            if digest in known:
                raise ValueError(
                    f"Image {name!r} is in the store already, as {known[digest]!r}: "
                    f"both have the digest {digest!r}. Leave it out."
                )
        both = self.images + more
        check_size(sum(both.n_rows.tolist()), self.row_bytes)
        starts: list[int] = []
        size = 0
        for number, n_rows in enumerate(more.n_rows.tolist(), start=len(self.images)):
            size += n_rows * self.row_bytes
            if not starts or size > self.chunk_bytes:
                starts.append(number)
                size = n_rows * self.row_bytes
        return replace(self, images=both, chunk_starts=(*self.chunk_starts, *starts))

    @property
    def row_bytes(self) -> int:
        """Bytes of one orbit."""
        return self.group.order * self.n_channels * np.dtype(self.dtype).itemsize

    @property
    def n_chunks(self) -> int:
        """Number of chunks."""
        return len(self.chunk_starts)

    @cached_property
    def row_starts(self) -> NDArray[np.int64]:
        """First row of every image, and the number of rows at the end."""
        return np.concatenate([[0], np.cumsum(self.images.n_rows)])

    def images_of(self, chunk: int) -> range:
        """Numbers of a chunk's images.

        Raises
        ------
        ValueError
            If there is no such chunk.
        """
        if not 0 <= chunk < self.n_chunks:
            raise ValueError(f"No chunk {chunk}: the store has chunks 0 to {self.n_chunks - 1}.")
        is_last = chunk + 1 == self.n_chunks
        stop = len(self.images) if is_last else self.chunk_starts[chunk + 1]
        return range(self.chunk_starts[chunk], stop)

    def rows_of(self, chunk: int) -> int:
        """Number of a chunk's rows when it is complete."""
        images = self.images_of(chunk)
        return int(self.row_starts[images.stop] - self.row_starts[images.start])

    def row_in_chunk(self, chunk: int, image: int) -> int:
        """First row of an image within its chunk."""
        return int(self.row_starts[image] - self.row_starts[self.chunk_starts[chunk]])

    @property
    def has_many_images(self) -> bool:
        """Whether there are more than are looked at one by one when a store is opened."""
        return len(self.images) > MANY_IMAGES

    @property
    def format_version(self) -> int:
        """Of the manifest's file."""
        return 2 if self.has_many_images else 1

    def text(self) -> bytes:
        """What the manifest's file says."""
        said: dict[str, Any] = {
            "version": __version__,
            "group": group_to_json(self.group),
            "n_channels": self.n_channels,
            "dtype": self.dtype,
            "metadata": self.metadata,
            "chunk_bytes": self.chunk_bytes,
            "chunk_starts": list(self.chunk_starts),
        }
        images = self.images
        if self.has_many_images:
            columns = ImageColumns(images.names, images.digests, images.n_rows.tolist())
            return manifest_text(ManyImagesContent(**said, images=columns))
        return manifest_text(ManifestContent(**said, images=list(images)))

    def write(self, folder: Path) -> None:
        """Write the manifest into a store's folder; see `write_manifest`."""
        write_manifest(folder, self.text())

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a store's folder; see `read_manifest` for what is refused."""
        return cls.of(read_manifest(folder), folder / MANIFEST)

    @classmethod
    def of(cls, content: AnyContent, path: str | os.PathLike[str]) -> Manifest:
        """Make sense of a manifest's content.

        Raises
        ------
        ValueError
            Naming the file, if there is no such group, or the rows are more than can be.
        """
        found = content.images
        if isinstance(found, ImageColumns):
            names, digests, n_rows = found.names, found.digests, found.n_rows
        else:
            names, digests, n_rows = map(list, zip(*found, strict=True))
        try:
            manifest = cls(
                group_from_json(content.group),
                content.n_channels,
                content.dtype,
                content.metadata,
                ImageTable(names, digests, n_rows),
                tuple(content.chunk_starts),
                content.chunk_bytes,
            )
            check_size(sum(n_rows), manifest.row_bytes)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} makes no sense: {error}") from error
        return manifest


def as_json(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as they will be read again: tuples become lists.

    Raises
    ------
    ValueError
        If JSON cannot hold them.
    """
    if not all(isinstance(key, str) for key in metadata):
        raise ValueError("The keys of a store's metadata are strings.")
    try:
        text = json.dumps(dict(metadata), allow_nan=False, ensure_ascii=False)
        return msgspec.json.decode(encodable(text))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"A store's metadata are what JSON can hold: {error}.") from error
