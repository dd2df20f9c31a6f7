"""What an orbit store on disk consists of: its manifest and the plan of its chunks."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._files import written_whole
from .._version import __version__
from ..groups import FiniteGroup, group_from_json, group_to_json

FORMAT, FORMAT_VERSION = "sklearn_groupcross.OrbitStore", 1
MANIFEST = "manifest.json"
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
        if not isinstance(group, FiniteGroup) or group_from_json(group_to_json(group)) != group:
            raise ValueError(f"A store's group is one of sklearn_groupcross.groups; got {group!r}.")
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
        _check_layers(empty.metadata, empty.n_channels)
        return empty.with_more(images)

    def with_more(self, images: Sequence[StoredImage]) -> Manifest:
        """Add images, in chunks of their own: those that are there may be in work.

        Raises
        ------
        ValueError
            If there are none, one has no rows, or one is in the store already.
        """
        more = [StoredImage(str(n), str(digest), int(rows)) for n, digest, rows in images]
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
        """Write the manifest into a store's folder; it appears whole and survives a power cut.

        Raises
        ------
        OSError
            If the folder is read-only or full.
        """
        content = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "version": __version__,
            "group": group_to_json(self.group),
            "n_channels": self.n_channels,
            "dtype": self.dtype,
            "metadata": self.metadata,
            "chunk_bytes": self.chunk_bytes,
            "chunk_starts": self.chunk_starts,
            "images": self.images,
        }
        content["checksum"] = _checksum(content)
        with written_whole(folder / MANIFEST) as temporary, open(temporary, "w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a store's folder.

        Raises
        ------
        FileNotFoundError
            If the folder is no store.
        ValueError
            If the manifest is damaged, or of a format that this version does not read.
        """
        path = folder / MANIFEST
        if not path.is_file():
            raise FileNotFoundError(f"No orbit store at {folder}: there is no file {path}.")
        try:
            content = json.loads(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path} is damaged: it is not JSON ({error}).") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{path} is not the manifest of an orbit store.")
        if content.get("format_version") != FORMAT_VERSION:
            raise ValueError(
                f"{path} is of format version {content.get('format_version')}, written by "
                f"sklearn_groupcross {content.get('version')}; sklearn_groupcross {__version__} "
                f"reads version {FORMAT_VERSION}. Install the version that wrote it, or a later "
                "one."
            )
        if content.pop("checksum", None) != _checksum(content):
            raise ValueError(f"{path} is damaged: its content does not have its checksum.")
        return cls(
            group_from_json(content["group"]),
            content["n_channels"],
            content["dtype"],
            content["metadata"],
            tuple(StoredImage(*image) for image in content["images"]),
            tuple(content["chunk_starts"]),
            content["chunk_bytes"],
        )


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
        return json.loads(json.dumps(dict(metadata), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"A store's metadata are what JSON can hold: {error}.") from error


def _check_layers(metadata: dict[str, Any], n_channels: int) -> None:
    """Check the channel ranges of layers, if the metadata name any."""
    layers = metadata.get("layers", {})
    if not isinstance(layers, dict):
        raise ValueError("metadata['layers'] maps the name of a layer to [first, stop] channels.")
    for name, span in layers.items():
        is_pair = isinstance(span, list) and [type(end) for end in span] == [int, int]
        if not is_pair or not 0 <= span[0] < span[1] <= n_channels:
            raise ValueError(
                f"metadata['layers'][{name!r}] is {span!r}; expected [first, stop] within "
                f"{n_channels} channels."
            )


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
