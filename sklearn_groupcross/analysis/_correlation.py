"""Correlations of atoms over all right translations, tile by tile, through the Fourier domain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._plain import as_tensor
from .._progress import tqdm
from .._stacks._coefficients import coefficients_by_column
from ..groups import CompactFourier, FiniteGroup

# Coefficients of one tile of pairs: with smaller tiles, products wait for each other's threads.
_TILE_BYTES = {"cpu": 128 * 2**20}
_TILE_BYTES_ELSEWHERE = 512 * 2**20
# What one pass of the transform, and of the search for the maximum, writes: within the last cache.
_CHUNK_BYTES = {"cpu": 16 * 2**20}
_CHUNK_BYTES_ELSEWHERE = 128 * 2**20


class Spectra:
    """Fourier coefficients of atoms, laid out so that their products are products of matrices.

    They hold as many numbers as the atoms: irreps of complex and quaternionic type, whose matrices
    repeat each number, are kept without the repetitions.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Read a few rows at a time.
    group : FiniteGroup
    device : torch.device

    Attributes
    ----------
    coefficients : list of Tensor
        For each irrep, shape (D, m, D / t * d): column, atom, (row, channel).
    """

    def __init__(
        self, atoms: NDArray[np.floating], group: FiniteGroup, device: torch.device
    ) -> None:
        check_atoms(atoms, group)
        self.group, self.device = group, device
        m, order, d = atoms.shape
        dtype = torch.from_numpy(np.empty(0, atoms.dtype)).dtype
        fourier = CompactFourier(group)
        forward = torch.tensor(fourier.forward, dtype=dtype, device=device)
        targets = [
            torch.empty(n_columns, m, n_rows, d, dtype=dtype, device=device)
            for n_rows, n_columns in fourier.shapes
        ]
        step = _rows_per_chunk(device, order * d * atoms.itemsize)
        for start in range(0, m, step):
            chunk = as_tensor(atoms[start : start + step]).to(device)
            parts = coefficients_by_column(chunk, forward, fourier)
            for target, part in zip(targets, parts, strict=True):
                target[:, start : start + step] = part.transpose(0, 1)
        self.coefficients = [target.flatten(2) for target in targets]

    def __len__(self) -> int:
        return self.coefficients[0].shape[1]

    @property
    def dtype(self) -> torch.dtype:
        """Of the atoms."""
        return self.coefficients[0].dtype


@dataclass(frozen=True)
class Tile:
    """Largest correlations of some rows with some columns, and the elements that attain them."""

    rows: slice
    columns: slice
    maximum: Tensor
    element: Tensor


def tiles(
    first: Spectra,
    second: Spectra | None = None,
    *,
    size: int | None = None,
    progress: bool = False,
) -> Iterator[Tile]:
    """Largest correlation over all right translations, of every pair, tile by tile.

    Parameters
    ----------
    first : Spectra
    second : Spectra, optional
        Default: `first` again; of two tiles that mirror each other only the upper comes.
    size : int, optional
        Rows and columns of a tile. Default: by a budget of memory.
    progress : bool, default=False

    Yields
    ------
    tile : Tile
        Rows from top to bottom, columns from left to right.
    """
    group, device = first.group, first.device
    others = first if second is None else second
    synthesis = torch.tensor(CompactFourier(group).correlations, dtype=first.dtype, device=device)
    n_products = synthesis.shape[1]
    if size is None:
        budget = _TILE_BYTES.get(device.type, _TILE_BYTES_ELSEWHERE)
        size = max(1, int((budget / (n_products * first.dtype.itemsize)) ** 0.5))
    height, width = (max(1, min(size, len(spectra))) for spectra in (first, others))
    buffer = torch.empty(n_products * height * width, dtype=first.dtype, device=device)
    corners = [
        (i, j)
        for i in range(0, len(first), height)
        for j in range(0 if second is not None else i, len(others), width)
    ]
    for i, j in tqdm(corners, desc="comparing features", disable=not progress):
        rows = slice(i, min(i + height, len(first)))
        columns = slice(j, min(j + width, len(others)))
        shape = (n_products, rows.stop - rows.start, columns.stop - columns.start)
        products = buffer[: n_products * shape[1] * shape[2]].view(shape)
        _multiply(first, rows, others, columns, products)
        maximum, element = _largest(synthesis, products.flatten(1))
        yield Tile(rows, columns, maximum.view(shape[1:]), element.view(shape[1:]))


def _multiply(
    first: Spectra, rows: slice, second: Spectra, columns: slice, products: Tensor
) -> None:
    """``Σ_a ⟨Ŵ_i(ρ)[a, b], Ŵ_j(ρ)[a, c]⟩`` for all ρ, b, c, straight to where they belong."""
    place = iter(products)
    for left, right in zip(first.coefficients, second.coefficients, strict=True):
        for b in left:
            for c in right:
                torch.mm(b[rows], c[columns].T, out=next(place))


def _largest(synthesis: Tensor, products: Tensor) -> tuple[Tensor, Tensor]:
    """Maximum of the inverse transform over the elements, and where it is."""
    n_pairs = products.shape[1]
    maximum = products.new_empty(n_pairs)
    element = torch.empty(n_pairs, dtype=torch.int64, device=products.device)
    step = _rows_per_chunk(products.device, len(synthesis) * products.itemsize)
    for start in range(0, n_pairs, step):
        pairs = slice(start, start + step)
        correlations = products[:, pairs].T @ synthesis.T
        torch.max(correlations, dim=1, out=(maximum[pairs], element[pairs]))
    return maximum, element


def _rows_per_chunk(device: torch.device, row_bytes: int) -> int:
    return max(1, _CHUNK_BYTES.get(device.type, _CHUNK_BYTES_ELSEWHERE) // row_bytes)


def check_atoms(atoms: NDArray[np.floating], group: FiniteGroup) -> None:
    """Refuse atoms that are not one block for each element.

    Raises
    ------
    ValueError
    """
    fits = atoms.ndim == 3 and atoms.shape[1] == group.order
    if not fits or atoms.dtype not in (np.float32, np.float64):
        raise ValueError(
            f"Expected float32 or float64 atoms of shape (m, {group.order}, d) for {group!r}; got "
            f"shape {atoms.shape}, {atoms.dtype}."
        )
