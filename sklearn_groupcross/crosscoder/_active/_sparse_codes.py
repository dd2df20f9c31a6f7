"""Codes that are mostly zero: where they stand, and products at the cost of those that are not.

Each product is checked against the dense one that it stands for. They run on the CPU: there,
gathering the few atoms of a sample is many times faster than multiplying by all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._parallel import Run, sharing
from .._parameters import Parameters
from .._selection import largest
from . import _kernels as kernels

# Share of codes that are not zero up to which leaving out the rest is faster: a gathered number
# costs some three times a multiplied one.
_MAX_SPARSE_SHARE = 1 / 4
# Numbers in a decoder whose products are so short that compiled loops are not worth loading.
_SMALL_DECODER = 1 << 16
_Floats = NDArray[np.floating]


@dataclass(frozen=True)
class SparseCodes:
    """A matrix of codes (n, m), row by row; codes that are stored may be zero.

    Attributes
    ----------
    shape : tuple of int
    indptr : ndarray of shape (n + 1,), int64
        Where each row begins among the indices and data.
    indices : ndarray of shape (nnz,), int64
        Columns.
    data : ndarray of shape (nnz,), float
    """

    shape: tuple[int, int]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    data: _Floats

    @classmethod
    def above(cls, values: Tensor, thresholds: Tensor, run: Run) -> SparseCodes:
        """Those of values (n, m), on the CPU, that exceed the threshold of their column (m,)."""
        upper = thresholds.to(values.dtype)
        return cls._outside(values, torch.full_like(upper, -torch.inf), upper, run)

    @classmethod
    def nonzero(cls, values: Tensor, run: Run) -> SparseCodes:
        """Those of values (n, m), on the CPU, that are not zero."""
        zeros = values.new_zeros(values.shape[1])
        return cls._outside(values, zeros, zeros, run)

    @classmethod
    def _outside(cls, values: Tensor, lower: Tensor, upper: Tensor, run: Run) -> SparseCodes:
        n, m = values.shape
        arrays = values.numpy(), lower.numpy(), upper.numpy()
        indptr = np.zeros(n + 1, dtype=np.int64)
        run(kernels.count_outside, n, *arrays, indptr[1:])
        indptr = indptr.cumsum()
        indices = np.empty(indptr[-1], dtype=np.int64)
        data = np.empty(indptr[-1], dtype=arrays[0].dtype)
        run(kernels.gather_outside, n, *arrays, indptr, indices, data)
        return cls((n, m), indptr, indices, data)

    @classmethod
    def largest(cls, values: Tensor, k: int, run: Run, *, of_batch: bool) -> SparseCodes:
        """The k largest of each row of values (n, m), on the CPU, or n·k of all; see `largest`."""
        n, m = values.shape
        if not of_batch and values.dtype == torch.float32:
            # faster than torch's topk, and most of all among few
            indices, data = np.empty(n * k, np.int64), np.empty(n * k, np.float32)
            run(kernels.largest_of_values, n, values.detach().numpy(), k, indices, data)
            return cls((n, m), np.arange(n + 1) * k, indices, data)
        kept, places = largest(values, k, of_batch=of_batch)
        rows, indices = np.divmod(places.numpy(), m)
        return cls((n, m), np.searchsorted(rows, np.arange(n + 1)), indices, kept.numpy())

    def write_into(self, zeros: Tensor, run: Run) -> None:
        """Write what is not zero into zeros (n, m); no place may hold two values."""
        entries = self.indptr, self.indices, self.data
        run(kernels.write_entries, self.shape[0], *entries, zeros.numpy())

    def where(self, keep: NDArray[np.bool_]) -> SparseCodes:
        """Those entries (nnz,) that are to be kept."""
        kept = np.concatenate([[0], keep.cumsum()])
        return SparseCodes(self.shape, kept[self.indptr], self.indices[keep], self.data[keep])

    @cached_property
    def by_atom(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Where each column begins (m + 1), and the row and place of every entry (nnz)."""
        column_indptr = np.zeros(self.shape[1] + 1, dtype=np.int64)
        rows, places = np.empty_like(self.indices), np.empty_like(self.indices)
        kernels.sort_by_column(self.indptr, self.indices, column_indptr, rows, places)
        return column_indptr, rows, places

    def sums_by_atom(self, values: _Floats) -> Tensor:
        """Sum of numbers, one an entry, over the entries of each column (m,)."""
        return torch.from_numpy(
            np.bincount(self.indices, weights=values, minlength=self.shape[1]).astype(values.dtype)
        )


class Tiles:
    """Memory for tiles of columns, used again from one product to the next.

    A fresh piece of that size would cost as much as the product that fills it.
    """

    def __init__(self) -> None:
        self._memory: dict[str, _Floats] = {}

    def rows(self, name: str, n: int, width: int, dtype: Any) -> _Floats:
        """Memory of a name for n rows of so many columns."""
        memory = self._memory.get(name)
        if memory is None or len(memory) < n * width or memory.dtype != dtype:
            memory = self._memory[name] = np.empty(n * width, dtype)
        return memory[: n * width].reshape(n, width)

    @staticmethod
    def of(width: int) -> list[tuple[int, int]]:
        """First and last column of each tile of a matrix of that width."""
        return [(low, min(low + kernels.TILE, width)) for low in range(0, width, kernels.TILE)]


def is_faster_without_zeros(share: float | Tensor, decoder: Tensor) -> bool:
    """Whether products that leave out zeros are faster, where a share of the codes is none."""
    if decoder.device.type != "cpu" or decoder.numel() < _SMALL_DECODER:
        return False
    return float(share) <= _MAX_SPARSE_SHARE


@torch.no_grad()
def rebuild(codes: Tensor, parameters: Parameters, dtype: torch.dtype | None = None) -> Tensor:
    """Reconstruction (n, w) of codes (n, m), from those that are not zero if they are few.

    With a `dtype` products with all codes are computed in it.
    """
    share = codes.count_nonzero().float() / max(1, codes.numel())
    if not is_faster_without_zeros(share, parameters.decoder):
        return parameters.reconstruct(codes, dtype)
    with sharing() as run:
        entries = SparseCodes.nonzero(codes, run)
        return decode(entries, parameters.decoder.detach(), parameters.flat_bias(), run)


@torch.no_grad()
def add_products_(sums: Tensor, codes: Tensor, stacks: Tensor) -> None:
    """Add ``codes.T @ stacks`` (m, w), of codes (n, m), from those that are not zero if few are."""
    share = codes.count_nonzero().float() / max(1, codes.numel())
    if not is_faster_without_zeros(share, sums):
        sums.addmm_(codes.T, stacks)
        return
    with sharing() as run:
        entries = SparseCodes.nonzero(codes.contiguous(), run)
        transposed_product(entries, entries.data, stacks, Tiles(), run, add_to=sums)


def decode(codes: SparseCodes, decoder: Tensor, bias: Tensor, run: Run) -> Tensor:
    """``codes @ decoder + bias``, of shape (n, w)."""
    n, m = codes.shape
    atoms, flat = decoder.numpy(), bias.numpy()
    out = np.empty((n, atoms.shape[1]), dtype=atoms.dtype)
    tiles = Tiles()
    entries = codes.indptr, codes.indices, codes.data
    for low, high in Tiles.of(atoms.shape[1]):
        tile = tiles.rows("atoms", m, high - low, atoms.dtype)
        run(kernels.copy_tile, m, atoms, low, high, tile)
        run(kernels.decode_tile, n, *entries, tile, flat, low, high, out)
    return torch.from_numpy(out)


@dataclass(frozen=True)
class SquaredError:
    """What `squared_error` finds.

    Attributes
    ----------
    total : float
        ``‖targets − reconstruction‖²``, summed over samples.
    grad_codes : ndarray of shape (nnz,)
        Gradient of ``factor / 2`` times the total, by the codes that are stored.
    grad_bias : Tensor of shape (w,)
    """

    total: float
    grad_codes: _Floats
    grad_bias: Tensor


def squared_error(
    codes: SparseCodes,
    decoder: Tensor,
    bias: Tensor,
    targets: Tensor,
    factor: float,
    tiles: Tiles,
    run: Run,
    *,
    grad_decoder: Tensor,
    shrinkage: Tensor | None = None,
    error: Tensor | None = None,
) -> SquaredError:
    """Squared error of ``codes @ decoder + bias``, and its gradients by all three.

    The atoms are read once for all of it. Memory of the size of the decoder or of the targets is
    the caller's, to be used again.

    Parameters
    ----------
    codes : SparseCodes
    decoder : Tensor of shape (m, w)
    bias : Tensor of shape (w,)
    targets : Tensor of shape (n, w)
    factor : float
        The gradient of the reconstruction is ``factor * (reconstruction − targets)``.
    tiles : Tiles
    run : Run
    grad_decoder : Tensor of shape (m, w)
        Takes the gradient of the decoder.
    shrinkage : Tensor of shape (m,), optional
        So many times the atoms are added to their gradient.
    error : Tensor of shape (n, w), optional
        Takes ``targets − reconstruction``.
    """
    n, m = codes.shape
    atoms, wanted, dtype = decoder.numpy(), targets.numpy(), decoder.numpy().dtype
    width = atoms.shape[1]
    squares, grad_codes = np.zeros(n), np.zeros_like(codes.data)
    grad_bias = np.empty(width, dtype)
    column_indptr, rows, places = codes.by_atom
    entries = codes.indptr, codes.indices, codes.data
    by_atom = column_indptr, rows, codes.data[places]
    shrunk = np.empty(0, dtype) if shrinkage is None else shrinkage.numpy()
    left = np.empty((0, 0), dtype) if error is None else error.numpy()
    flat, scaled = bias.numpy(), dtype.type(factor)
    for low, high in Tiles.of(width):
        part = low, high
        tile = tiles.rows("atoms", m, high - low, dtype)
        grad_out = tiles.rows("grad_out", n, high - low, dtype)
        run(kernels.copy_tile, m, atoms, *part, tile)
        run(
            kernels.error_tile,
            n, *entries, tile, flat, wanted, scaled, *part, grad_out, squares, grad_codes, left,
        )  # fmt: skip
        out = grad_decoder.numpy()
        run(kernels.gradient_tile, m, *by_atom, grad_out, tile, shrunk, *part, out)
        grad_out.sum(axis=0, out=grad_bias[low:high])
    return SquaredError(float(squares.sum()), grad_codes, torch.from_numpy(grad_bias))


def transposed_product(
    codes: SparseCodes,
    values: _Floats,
    dense: Tensor,
    tiles: Tiles,
    run: Run,
    *,
    add_to: Tensor | None = None,
) -> Tensor:
    """``Sᵀ D`` for S with the entries of `codes` and other values (nnz,), and D of shape (n, w).

    It is added to a tensor (m, w) if there is one.
    """
    n, m = codes.shape
    right = dense.numpy()
    width, dtype = right.shape[1], right.dtype
    out = np.empty((m, width), dtype) if add_to is None else add_to.numpy()
    column_indptr, rows, places = codes.by_atom
    by_atom = column_indptr, rows, values[places]
    once = np.empty(0, dtype) if add_to is None else np.ones(m, dtype)
    for low, high in Tiles.of(width):
        tile = before = tiles.rows("right", n, high - low, dtype)
        run(kernels.copy_tile, n, right, low, high, tile)
        if add_to is not None:
            before = tiles.rows("before", m, high - low, dtype)
            run(kernels.copy_tile, m, out, low, high, before)
        run(kernels.gradient_tile, m, *by_atom, tile, before, once, low, high, out)
    return torch.from_numpy(out)
