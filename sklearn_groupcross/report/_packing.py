"""Arrays and pictures as text that a page can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Quality of pictures in atlases; blocks are kept as they are.
_QUALITY = 72


class Atlas:
    """Pictures of one size, side by side in few files: a page decodes one when it is looked at.

    Parameters
    ----------
    name : str
        By which the page finds it.
    tile : int
        Side of a picture in pixels.
    columns : int, default=16
        Pictures in a row; a file has as many rows.
    lossless : bool, default=False
    """

    def __init__(self, name: str, tile: int, columns: int = 16, lossless: bool = False) -> None:
        self.name, self.tile, self.columns = name, tile, columns
        self._lossless = lossless
        self._sheet = self._blank()
        self._files: list[bytes] = []
        self._n = 0

    def add(self, picture: NDArray[np.uint8]) -> int:
        """Add a picture (tile, tile, 3) and return its number."""
        place = self._n % self.columns**2
        if place == 0 and self._n:
            self._files.append(self._encoded())
            self._sheet = self._blank()
        top, left = (self.tile * i for i in divmod(place, self.columns))
        self._sheet[top : top + self.tile, left : left + self.tile] = picture
        self._n += 1
        return self._n - 1

    def files(self) -> list[bytes]:
        """All of its files, WebP."""
        return [*self._files, self._encoded()] if self._n else []

    def __len__(self) -> int:
        return self._n

    def describe(self) -> dict[str, Any]:
        """What the page must know of it."""
        per_atlas = self.columns**2
        return {
            "atlas": self.name,
            "tile": self.tile,
            "columns": self.columns,
            "per_atlas": per_atlas,
            "n": self._n,
            "n_atlases": -(-self._n // per_atlas),
        }

    def _blank(self) -> NDArray[np.uint8]:
        side = self.tile * self.columns
        return np.full((side, side, 3), 255, dtype=np.uint8)

    def _encoded(self) -> bytes:
        used = -(-((self._n - 1) % self.columns**2 + 1) // self.columns) * self.tile
        buffer = io.BytesIO()
        options: dict[str, Any] = {"lossless": True} if self._lossless else {"quality": _QUALITY}
        Image.fromarray(self._sheet[:used]).save(buffer, format="WEBP", method=4, **options)
        return buffer.getvalue()


class Words:
    """Texts by number: those that many features share are told once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text; -1 of an empty one."""
        return self._numbers.setdefault(text, len(self._numbers)) if text else -1

    def numbers(self, texts: Iterator[str] | Sequence[str]) -> NDArray[np.int32]:
        """The number of every text."""
        return np.array([self.number(str(text)) for text in texts], dtype=np.int32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)


def packed(array: NDArray[Any]) -> dict[str, Any]:
    """Describe an array as the page reads it: little endian, in base64."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode("ascii")
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}


def as_int8(cosines: NDArray[np.floating]) -> NDArray[np.int8]:
    """Cosines in steps of 1/127."""
    return np.round(np.clip(np.nan_to_num(cosines), -1, 1) * 127).astype(np.int8)
