"""One image of a source: a file, an array in a file, or an array in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._array_images import take_array
from ._channel_files import array_of, read_array, read_file
from ._pictures import Picture


@dataclass(frozen=True)
class ImageFile:
    """A file that is an image."""

    path: Path

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.name

    def __str__(self) -> str:
        return str(self.path)

    def digest(self) -> str:
        """SHA-256 of its bytes."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def read(self, n_channels: int) -> Picture:
        """Decode it; see `read_file`."""
        return read_file(self.path, n_channels)


@dataclass(frozen=True)
class ImageRow:
    """One of the images of an array (n, height, width, n_channels) in a file."""

    path: Path
    row: int

    @property
    def name(self) -> str:
        """The file's name and the number in it."""
        return f"{self.path.name}[{self.row}]"

    def __str__(self) -> str:
        return f"{self.path}[{self.row}]"

    def digest(self) -> str:
        """SHA-256 of its values; see `ImageArray`."""
        return _digest_of(array_of(self.path, self.row))

    def read(self, n_channels: int) -> Picture:
        """Take it out of the file."""
        return read_array(self.path, n_channels, self.row)


@dataclass(frozen=True, eq=False)
class ImageArray:
    """An array in memory that was checked, and its number among the images that were given."""

    image: NDArray[Any]
    number: int

    @property
    def name(self) -> str:
        """Its number, in words."""
        return f"image {self.number}"

    def __str__(self) -> str:
        return self.name

    def digest(self) -> str:
        """SHA-256 of its values, their type and its shape."""
        return _digest_of(self.image)

    def read(self, n_channels: int) -> Picture:
        """Take it as a picture."""
        return take_array(self.image)


ImageItem: TypeAlias = ImageFile | ImageRow | ImageArray


def _digest_of(image: NDArray[Any]) -> str:
    state = hashlib.sha256(f"{image.dtype} {image.shape}".encode())
    state.update(np.ascontiguousarray(image).data)
    return state.hexdigest()
