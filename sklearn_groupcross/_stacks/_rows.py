"""Rows of orbit stacks, wherever they lie: arrays, memory maps, tensors, stores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._plain import as_plain, as_tensor
from .._read_ahead import read_ahead

# Rows are widened and summed some at a time: this many bytes of float64.
_BYTES_A_PASS = 2**26
# Types that can be read as they are, and the distance of 1 from the next number.
_RESOLUTIONS = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 2**-23, "float64": 2**-52}


class Rows:
    """Orbit stacks that are read some rows at a time, blocks side by side.

    Nothing is converted until it is read, so a float16 memory map is never widened whole.

    Parameters
    ----------
    data : ndarray, Tensor or store
        Of shape (n_samples, order, n_channels) or (n_samples, order * n_channels), floating. A
        store is anything with a ``shape``, a ``dtype`` and rows by slice or by an array of
        increasing indices. If it has ``read_blocks(rows, n_blocks, first)``, which gives so many
        blocks from the first on, fewer columns are read by it.

    Attributes
    ----------
    shape : tuple of two int
        Samples and columns.
    dtype : numpy.dtype
        float64 if the data are, otherwise float32: the precision of what is computed from them.
    resolution : float
        Distance of 1 from the next number in the type of the data.
    """

    def __init__(self, data: Any) -> None:
        self._data = data = as_plain(data)
        self.shape = (int(data.shape[0]), int(np.prod(data.shape[1:])))
        name = _name_dtype(data)
        self.dtype = np.dtype(np.float64 if name == "float64" else np.float32)
        self.resolution = _RESOLUTIONS.get(name, _RESOLUTIONS["float32"])

    def __len__(self) -> int:
        return self.shape[0]

    def read(
        self,
        rows: slice | NDArray[np.integer],
        *,
        columns: slice = slice(None),
        dtype: torch.dtype = torch.float32,
        to_change: bool = True,
        memory: Tensor | None = None,
    ) -> Tensor:
        """Read rows into a tensor on the CPU.

        Parameters
        ----------
        rows : slice or ndarray of int
            Increasing.
        columns : slice, optional
            Only these. Of an array or memory map whose rows lie side by side no others are then
            read, nor of a store with ``read_blocks`` any other blocks.
        dtype : torch.dtype, default=torch.float32
        to_change : bool, default=True
            Whether the tensor may be written to; otherwise it may share the memory of the data.
        memory : Tensor of shape (n_rows, n_columns), optional
            Of that dtype, on the CPU. Whole rows are written there, unless they are looked at where
            they lie: fresh memory of the size of a batch takes longer than reading does.

        Returns
        -------
        block : Tensor of shape (n_rows, n_columns)
        """
        if isinstance(self._data, Tensor):
            index = rows if isinstance(rows, slice) else as_tensor(rows)
            index = index.to(self._data.device) if isinstance(index, Tensor) else index
            block = self._data.reshape(self.shape)[index, columns]
            return block.to("cpu", dtype, copy=True).contiguous()
        if memory is not None and self._can_take(rows, columns, memory):
            # clipping is for indices that are too large; looking for them would take a copy
            self._data.reshape(self.shape).take(rows, axis=0, out=memory.numpy(), mode="clip")
            return memory
        part = self._read_part(rows, columns)
        # torch warns of memory that is read-only
        may_be_shared = not to_change and part.flags.writeable
        target = np.float64 if dtype == torch.float64 else np.float32
        is_there = may_be_shared and part.dtype == target and part.flags.c_contiguous
        if memory is not None and columns == slice(None) and not is_there:
            return memory.copy_(as_tensor(part))
        if part.dtype == np.float16:  # numpy widens it seven times slower
            return as_tensor(part, dtype).contiguous()
        # An array gives a copy by itself for rows by index; of a store nobody knows.
        is_copy = isinstance(self._data, np.ndarray) and not isinstance(rows, slice)
        copy = None if is_copy or may_be_shared else True
        part = np.array(part, dtype=target, order="C", copy=copy)
        return as_tensor(part, dtype)

    def _can_take(self, rows: slice | NDArray[np.integer], columns: slice, memory: Tensor) -> bool:
        data = self._data
        if isinstance(rows, slice) or columns != slice(None) or not isinstance(data, np.ndarray):
            return False
        return data.flags.c_contiguous and data.dtype == memory.numpy().dtype

    def _read_part(self, rows: slice | NDArray[np.integer], columns: slice) -> NDArray[np.floating]:
        """Columns of rows, as they are stored."""
        if isinstance(self._data, np.ndarray) and self._data.flags.c_contiguous:
            flat = self._data.reshape(self.shape)
            if columns == slice(None) and not isinstance(rows, slice):
                # faster than an index, and other threads go on meanwhile
                return np.asarray(flat.take(rows, axis=0))
            return np.asarray(flat[rows, columns])
        if columns != slice(None) and hasattr(self._data, "read_blocks"):
            n_channels = self._data.shape[-1]
            start, stop, _ = columns.indices(self.shape[1])
            first, last = start // n_channels, -(-stop // n_channels)
            blocks = np.asarray(self._data.read_blocks(rows, last - first, first))
            skipped = first * n_channels
            return blocks.reshape(len(blocks), -1)[:, start - skipped : stop - skipped]
        return np.asarray(self._data[rows]).reshape(-1, self.shape[1])[:, columns]

    def read_parts(
        self,
        parts: Sequence[slice | NDArray[np.integer]],
        *,
        dtype: torch.dtype = torch.float32,
        to_change: bool = True,
    ) -> Iterator[Tensor]:
        """Read some rows after others, the next while the last are worked on.

        Memory is used again: rows are there until those after them are asked for. Otherwise as
        `read`.
        """
        counts = [_count(part) for part in parts]
        shape = (max(counts, default=0), self.shape[1])
        rooms = [torch.empty(shape, dtype=dtype, device="cpu") for _ in range(2)]

        def read(number: int) -> Tensor:
            room = rooms[number % 2][: counts[number]]
            return self.read(parts[number], dtype=dtype, to_change=to_change, memory=room)

        return read_ahead(read, range(len(parts)))

    def slices(self, n_columns: int | None = None, n_bytes: int | None = None) -> Iterator[slice]:
        """Consecutive rows that fit in some bytes as float64, 64 MiB if not said otherwise."""
        width = self.shape[1] if n_columns is None else n_columns
        n_rows = max(1, (n_bytes or _BYTES_A_PASS) // (8 * width))
        for start in range(0, len(self), n_rows):
            yield slice(start, min(start + n_rows, len(self)))


def _count(rows: slice | NDArray[np.integer]) -> int:
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def is_row_readable(X: Any) -> bool:
    """Whether `Rows` can read X as it is; other input is for scikit-learn to convert or refuse."""
    shape = getattr(X, "shape", ())
    if len(shape) not in (2, 3) or 0 in shape or hasattr(X, "iloc") or hasattr(X, "tocsr"):
        return False
    return _name_dtype(X) in _RESOLUTIONS and hasattr(X, "__getitem__")


def _name_dtype(X: Any) -> str:
    """Such as float32, in either order of bytes; empty if there is none."""
    dtype = getattr(X, "dtype", "")
    # a store may give the name alone
    return dtype.name if isinstance(dtype, np.dtype) else str(dtype).removeprefix("torch.")


def is_finite(values: Tensor | NDArray[Any]) -> bool:
    """Whether there is neither NaN nor infinity."""
    if isinstance(values, np.ndarray):
        return bool(np.isfinite(values).all())
    # one bad value makes the sum bad, so that a mask is for finite values whose sum overflows
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def check_finite(
    values: Tensor | NDArray[Any],
    rows: Sequence[int] | NDArray[np.int64] | None = None,
    label: str = "Input X",
) -> None:
    """Refuse NaN and infinity, and say where they are.

    Parameters
    ----------
    values : Tensor or ndarray of shape (n, n_columns) or (n, order, n_channels)
    rows : sequence of int of length n, optional
        What the rows are to be called. Default: counted from 0.
    label : str, default="Input X"
        What the values are, in the singular, to begin the message with.

    Raises
    ------
    ValueError
    """
    if is_finite(values):
        return
    array = values if isinstance(values, np.ndarray) else values.double().cpu().numpy()
    kind = "NaN" if np.isnan(array).any() else "infinity"
    at = np.argwhere(~np.isfinite(array))
    bad = np.unique(at[:, 0])
    listed = ", ".join(str(int(row if rows is None else rows[row])) for row in bad[:5])
    more = f" and {len(bad) - 5} more near them" if len(bad) > 5 else ""
    first = f", first in block {at[0, 1]}, channel {at[0, 2]}" if array.ndim == 3 else ""
    raise ValueError(
        f"{label} contains {kind}: in rows {listed}{more}{first}. Every value must be finite; "
        "leave these samples out, or look for what made them."
    )
