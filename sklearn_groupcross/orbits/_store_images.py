"""The images of a store: one at a time for people, columns of a million for the machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray


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


class ImageTable(Sequence[StoredImage]):
    """Images in columns: a million objects would take longer to make than a store to open.

    Parameters
    ----------
    names, digests : list of str
    n_rows : array-like of int
        Of one length.
    """

    def __init__(
        self, names: list[str], digests: list[str], n_rows: list[int] | NDArray[np.int64]
    ) -> None:
        self.names, self.digests = names, digests
        self.n_rows: NDArray[np.int64] = np.asarray(n_rows, dtype=np.int64)

    @classmethod
    def of(cls, images: Iterable[tuple[str, str, int]]) -> ImageTable:
        """Take a sequence of images; what is undecodable in names is replaced."""
        columns = list(zip(*images, strict=True)) or [(), (), ()]
        names, digests, n_rows = columns
        return cls(
            [encodable(str(name)) for name in names],
            [encodable(str(digest)) for digest in digests],
            [int(n) for n in n_rows],
        )

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> StoredImage: ...
    @overload
    def __getitem__(self, index: slice) -> ImageTable: ...
    def __getitem__(self, index: int | slice) -> StoredImage | ImageTable:
        if isinstance(index, slice):
            return ImageTable(self.names[index], self.digests[index], self.n_rows[index])
        return StoredImage(self.names[index], self.digests[index], int(self.n_rows[index]))

    def __iter__(self) -> Iterator[StoredImage]:
        return map(StoredImage, self.names, self.digests, self.n_rows.tolist())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ImageTable)
            and self.names == other.names
            and self.digests == other.digests
            and np.array_equal(self.n_rows, other.n_rows)
        )

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: ImageTable) -> ImageTable:
        return ImageTable(
            self.names + other.names,
            self.digests + other.digests,
            np.concatenate([self.n_rows, other.n_rows]),
        )


def encodable(text: str) -> str:
    """Text without the halves of characters in which undecodable names of files come."""
    return text.encode(errors="replace").decode()
