"""What an orbit store on disk consists of: its manifest and the plan of its chunks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..groups import FiniteGroup, group_from_json, group_to_json
from ._store_schema import (
    MANIFEST,
    ManifestContent,
    check_size,
    problem_of_layers,
    read_manifest,
    write_manifest,
)

DTYPES = ("float16", "float32")


class StoredImage(NamedTuple):
    """An image whose orbits a store holds.

    Attributes
    ----------
    name : str
        For people, such as the file's name.
    digest : str
        Of the image's content, so that a changed image is not taken for the one that was read.
    n_rows : int
        Number of its orbits.
    """

    name: str
    digest: str
    n_rows: int


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
    images : tuple of StoredImage
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
    images: tuple[StoredImage, ...]
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
        empty = cls(group, int(n_channels), dtype, as_json(metadata), (), (), int(chunk_bytes))
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
        more = [
            StoredImage(_encodable(str(name)), _encodable(str(digest)), int(rows))
            for name, digest, rows in images
        ]
        if not more:
            raise ValueError("A store holds at least one image; the list of images is empty.")
        known = {image.digest: image.name for image in self.images}
        for image in more:
            if image.n_rows < 1:
                raise ValueError(f"Image {image.name!r} has n_rows={image.n_rows}; at least 1.")
            if image.digest in known:
                raise ValueError(
                    f"Image {image.name!r} is in the store already, as {known[image.digest]!r}: "
                    f"both have the digest {image.digest!r}. Leave it out."
                )
        starts: list[int] = []
        size = 0
        for number, image in enumerate(more, start=len(self.images)):
            size += image.n_rows * self.row_bytes
            if not starts or size > self.chunk_bytes:
                starts.append(number)
                size = image.n_rows * self.row_bytes
        check_size(sum(image.n_rows for image in (*self.images, *more)), self.row_bytes)
        return replace(
            self, images=(*self.images, *more), chunk_starts=(*self.chunk_starts, *starts)
        )

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
        return np.cumsum([0, *(image.n_rows for image in self.images)])

    def images_of(self, chunk: int) -> range:
        """Numbers of a chunk's images.

        Raises
        ------
        ValueError
            If there is no such chunk.
        """
        if not 0 <= chunk < self.n_chunks:
            raise ValueError(f"No chunk {chunk}: the store has chunks 0 to {self.n_chunks - 1}.")
        ends = (*self.chunk_starts[1:], len(self.images))
        return range(self.chunk_starts[chunk], ends[chunk])

    def rows_of(self, chunk: int) -> int:
        """Number of a chunk's rows when it is complete."""
        images = self.images_of(chunk)
        return int(self.row_starts[images.stop] - self.row_starts[images.start])

    def row_in_chunk(self, chunk: int, image: int) -> int:
        """First row of an image within its chunk."""
        return int(self.row_starts[image] - self.row_starts[self.chunk_starts[chunk]])

    def write(self, folder: Path) -> None:
        """Write the manifest into a store's folder; see `write_manifest`."""
        content = ManifestContent(
            version=__version__,
            group=group_to_json(self.group),
            n_channels=self.n_channels,
            dtype=self.dtype,  # type: ignore[arg-type]
            metadata=self.metadata,
            chunk_bytes=self.chunk_bytes,
            chunk_starts=list(self.chunk_starts),
            images=list(self.images),
        )
        write_manifest(folder, content)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a store's folder; see `read_manifest` for what is refused."""
        return cls.of(read_manifest(folder), folder / MANIFEST)

    @classmethod
    def of(cls, content: ManifestContent, path: Path) -> Manifest:
        """Make sense of a manifest's content.

        Raises
        ------
        ValueError
            Naming the file, if there is no such group, or the rows are more than can be.
        """
        try:
            manifest = cls(
                group_from_json(content.group),
                content.n_channels,
                content.dtype,
                content.metadata,
                tuple(StoredImage(*image) for image in content.images),
                tuple(content.chunk_starts),
                content.chunk_bytes,
            )
            check_size(sum(image.n_rows for image in manifest.images), manifest.row_bytes)
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
        return msgspec.json.decode(_encodable(text))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"A store's metadata are what JSON can hold: {error}.") from error


def _encodable(text: str) -> str:
    """Text without the halves of characters in which undecodable names of files come."""
    return text.encode(errors="replace").decode()
