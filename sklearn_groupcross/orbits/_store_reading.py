"""Rows of an orbit store as an array that is read as it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from torch.utils.data import Dataset

from .._html import card
from .._integers import check_integer
from ..groups import FiniteGroup
from ._store_format import Manifest
from ._store_mapping import ChunkedArray


class StoredOrbits(Dataset[NDArray[np.floating]]):
    """What an `OrbitStore` and the views of it have in common: rows to be read.

    Indexed by a number, a slice, an array of numbers in any order or a boolean mask, it reads those
    rows into a new array. Indexed by ``[rows, ...]`` it gives a `StoredOrbits` of those rows that
    reads nothing yet: that is how scikit-learn cuts folds. numpy, `GroupCrosscoder` and
    `torch.utils.data.DataLoader` read it as it is.
    """

    _manifest: Manifest
    _orbits: ChunkedArray
    _positions: ChunkedArray
    _channels: range

    def _selected(self) -> NDArray[np.int64] | None:
        """Rows of the whole store that are seen; None if all."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        """Shape, numbers and group, for notebooks; no orbit is read."""
        n_samples, order, n_channels = self.shape
        facts: dict[str, object] = {
            "orbits": n_samples,
            "group": f"{self.group!r}, {order} elements",
            "channels": n_channels,
            "dtype": self.dtype,
        }
        if self.metadata.get("layers"):
            facts["layers"] = ", ".join(map(str, self.metadata["layers"]))
        path = getattr(self, "path", None)
        if path is not None:
            facts["path"] = path
        return card(type(self).__name__, facts)

    # --- what it is ----------------------------------------------------------------------------

    @property
    def group(self) -> FiniteGroup:
        """The group of the orbits."""
        return self._manifest.group

    @property
    def metadata(self) -> dict[str, Any]:
        """What the store's maker said of it, as JSON holds it."""
        return self._manifest.metadata

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers: float16 or float32."""
        return np.dtype(self._manifest.dtype)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n_samples, order, n_channels)."""
        rows = self._selected()
        n_rows = self._manifest.row_starts[-1] if rows is None else len(rows)
        return int(n_rows), self.group.order, len(self._channels)

    @property
    def ndim(self) -> int:
        """3."""
        return 3

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def image_ids(self) -> NDArray[np.int64]:
        """Number of the image of every sample.

        What `~sklearn.model_selection.GroupKFold` takes as ``groups``.
        """
        return np.searchsorted(self._manifest.row_starts, self._rows(), side="right") - 1

    @property
    def positions(self) -> NDArray[np.float32]:
        """(column, row) of every sample in pixels from the image centre, (n_samples, 2)."""
        return self._positions.gather(self._rows(), (slice(None),), (2,))

    # --- reading -------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, tuple):
            if len(index) != 2 or index[1] is not Ellipsis:
                raise IndexError(
                    "A store is indexed by rows; see layer for channels, read_blocks for blocks."
                )
            return StoreView(self, self._rows(index[0]), self._channels)
        if isinstance(index, int | np.integer):
            return self._read(self._rows([index]))[0]
        return self._read(self._rows(index))

    def __getitems__(self, indices: Sequence[int]) -> list[NDArray[np.floating]]:
        """Samples of one batch, read at once: `torch.utils.data.DataLoader` calls it."""
        return list(self._read(self._rows(indices)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("A store becomes an array only by reading: a copy cannot be avoided.")
        return np.asarray(self._read(self._rows()), dtype=dtype)

    def read_blocks(
        self, index: ArrayLike | slice, n_blocks: int, first: int = 0
    ) -> NDArray[np.floating]:
        """Read only some blocks of rows.

        Parameters
        ----------
        index : slice or array-like of int, of shape (n,)
        n_blocks : int
            1 is the identity block alone, which is all that an encoder of it needs. Of more than
            there are, those that are there.
        first : int, default=0
            Number of the element that the first of them belongs to.

        Returns
        -------
        blocks : ndarray of shape (n_rows, n_blocks, n_channels)

        Raises
        ------
        TypeError
            If `n_blocks` or `first` is no whole number.
        ValueError
            If no block is asked for, or there is none of that number.
        """
        order = self.group.order
        check_integer("n_blocks", n_blocks, 1)
        check_integer("first", first, 0)
        if first >= order:
            raise ValueError(f"{self.group!r} has {order} elements; block {first} is of none.")
        return self._read(self._rows(index), slice(first, min(first + n_blocks, order)))

    def layer(self, name: str) -> StoredOrbits:
        """See only the channels of one layer; nothing is read.

        Parameters
        ----------
        name : str
            A key of ``metadata["layers"]``, which maps names to ``[first, stop]`` channels.

        Returns
        -------
        view : StoredOrbits

        Raises
        ------
        ValueError
            If there is no such layer.
        """
        layers = self.metadata.get("layers", {})
        if name not in layers:
            known = ", ".join(layers) or "none: its metadata have no 'layers'"
            raise ValueError(f"The store has no layer {name!r}. Layers: {known}.")
        if len(self._channels) != self._manifest.n_channels:
            raise ValueError("These are the channels of one layer already; take it of the store.")
        return StoreView(self, self._selected(), range(*layers[name]))

    def _read(self, rows: NDArray[np.int64], blocks: slice | None = None) -> NDArray[np.floating]:
        blocks = slice(0, self.group.order) if blocks is None else blocks
        parts = (blocks, slice(self._channels.start, self._channels.stop))
        return self._orbits.gather(rows, parts, (blocks.stop - blocks.start, len(self._channels)))

    def _rows(self, index: Any = slice(None)) -> NDArray[np.int64]:
        """Rows of the whole store that an index of this one means.

        Raises
        ------
        IndexError
        """
        n_samples = len(self)
        if isinstance(index, slice):
            rows = np.arange(*index.indices(n_samples), dtype=np.int64)
        else:
            rows = np.asarray(index)
            if rows.ndim != 1 or (rows.dtype.kind not in "iub" and rows.size):
                raise IndexError(
                    "Rows are a slice, integers or a boolean mask, along one axis; got "
                    f"{rows.dtype} of shape {rows.shape}."
                )
            if rows.dtype == bool:
                if len(rows) != n_samples:
                    raise IndexError(f"A mask of {len(rows)} for {n_samples} samples.")
                rows = np.flatnonzero(rows)
            rows = rows.astype(np.int64)
            bad = rows[(rows < -n_samples) | (rows >= n_samples)]
            if len(bad):
                raise IndexError(f"Row {bad[0]} is out of range: there are {n_samples} samples.")
            rows = np.where(rows < 0, rows + n_samples, rows)
        selected = self._selected()
        return rows if selected is None else selected[rows]


class StoreView(StoredOrbits):
    """Some rows, or some channels, of a store; see `StoredOrbits`.

    Parameters
    ----------
    source : StoredOrbits
    rows : ndarray of int or None
        Rows of the whole store; None for all.
    channels : range
    """

    def __init__(
        self, source: StoredOrbits, rows: NDArray[np.int64] | None, channels: range
    ) -> None:
        self._manifest = source._manifest
        self._orbits, self._positions = source._orbits, source._positions
        self._chosen, self._channels = rows, channels

    def __repr__(self) -> str:
        return f"<view of an orbit store: shape {self.shape}, {self.dtype}>"

    def _selected(self) -> NDArray[np.int64] | None:
        return self._chosen
