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
from ._low_rank import NEGLIGIBLE, Bases, few_of, find_bases

# Cosines as near to 1 as this are 1. Rounding leaves less between an atom and its translates (up to
# 5 machine epsilons in float32; in float64 the irreps, found numerically, add their own 1e-14).
_ROUNDING = {torch.float32: 4e-6, torch.float64: 1e-12}
# Coefficients of one tile of pairs: with smaller tiles, products wait for each other's threads.
_TILE_BYTES = {"cpu": 128 * 2**20}
_TILE_BYTES_ELSEWHERE = 512 * 2**20
# What one pass of the transform, and of the search for the maximum, writes: within a core's cache.
_CHUNK_BYTES = {"cpu": 2 * 2**20}
_CHUNK_BYTES_ELSEWHERE = 128 * 2**20


class Spectra:
    """Fourier coefficients of atoms, laid out so that their products are products of matrices.

    They hold as many numbers as the atoms: irreps of complex and quaternionic type, whose matrices
    repeat each number, are kept without the repetitions. Of a dictionary that was trained in few
    coordinates (``compression``) they hold these alone, in bases that are found in it.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms, read a few rows at a time.
    group : FiniteGroup
    device : torch.device
    bases : list of Tensor or None, optional
        Those of the spectra with which products are taken: what lies outside of these bases has no
        product with what lies in them. Default: found in the atoms.

    Attributes
    ----------
    coefficients : list of Tensor
        For each irrep, shape (D, m, D / t * d): column, atom, (row, channel); or, in a basis of
        rank r, (D, m, r).
    bases : list of Tensor or None
    """

    def __init__(
        self,
        atoms: NDArray[np.floating],
        group: FiniteGroup,
        device: torch.device,
        bases: Bases | None = None,
    ) -> None:
        check_atoms(atoms, group)
        self.group, self.device = group, device
        self._fourier = CompactFourier(group)
        self._weights = [irrep.dimension / group.order for irrep in group.irreps]
        few = few_of(atoms)
        if bases is not None:
            self.bases = bases
        elif few is None:
            self.bases = [None] * len(self._weights)
        else:
            self.bases = find_bases(self._parts(atoms[few]), self._weights)
        self.coefficients, left = self._transform(atoms)
        if bases is None and left > NEGLIGIBLE:  # the few did not stand for all
            self.bases = [None] * len(self.bases)
            self.coefficients, _ = self._transform(atoms)

    def _transform(self, atoms: NDArray[np.floating]) -> tuple[list[Tensor], float]:
        """Coefficients, and the largest share of an atom that lies outside of the bases."""
        m, order, d = atoms.shape
        dtype = torch.from_numpy(np.empty(0, atoms.dtype)).dtype
        widths = [
            n_rows * d if basis is None else basis.shape[1]
            for (n_rows, _), basis in zip(self._fourier.shapes, self.bases, strict=True)
        ]
        targets = [
            torch.empty(n_columns, m, width, dtype=dtype, device=self.device)
            for (_, n_columns), width in zip(self._fourier.shapes, widths, strict=True)
        ]
        step, left = _rows_per_chunk(self.device, order * d * atoms.itemsize), 0.0
        for start in range(0, m, step):
            part = self._parts(atoms[start : start + step])
            outside = torch.zeros(min(step, m - start), dtype=dtype, device=self.device)
            for target, values, basis, weight in zip(
                targets, part, self.bases, self._weights, strict=True
            ):
                within = values if basis is None else values @ basis
                target[:, start : start + step] = within
                if basis is not None:
                    lost = (values - within @ basis.T).square().sum(dim=(0, 2))
                    outside += lost * weight
            left = max(left, float(outside.max()))
        return targets, left

    def _parts(self, atoms: NDArray[np.floating]) -> list[Tensor]:
        """Coefficients of some atoms: for each irrep, shape (D, n, D / t * d)."""
        chunk = as_tensor(atoms).to(self.device)
        forward = torch.tensor(self._fourier.forward, dtype=chunk.dtype, device=self.device)
        parts = coefficients_by_column(chunk, forward, self._fourier)
        return [part.transpose(0, 1).flatten(2) for part in parts]

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
    element: Tensor | None


def tiles(
    first: Spectra,
    second: Spectra | None = None,
    *,
    size: int | None = None,
    elements: bool = True,
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
    elements : bool, default=True
        Whether it is asked which elements attain them, which takes as long as all the rest of it.
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
        maximum, element = _largest(synthesis, products.flatten(1), elements)
        at = None if element is None else element.view(shape[1:])
        yield Tile(rows, columns, maximum.view(shape[1:]), at)


def _multiply(
    first: Spectra, rows: slice, second: Spectra, columns: slice, products: Tensor
) -> None:
    """``Σ_a ⟨Ŵ_i(ρ)[a, b], Ŵ_j(ρ)[a, c]⟩`` for all ρ, b, c, straight to where they belong."""
    place = iter(products)
    for left, right in zip(first.coefficients, second.coefficients, strict=True):
        for b in left:
            for c in right:
                torch.mm(b[rows], c[columns].T, out=next(place))


def _largest(synthesis: Tensor, products: Tensor, elements: bool) -> tuple[Tensor, Tensor | None]:
    """Maximum of the inverse transform over the elements, and where it is, if that is asked."""
    n_pairs = products.shape[1]
    maximum = products.new_empty(n_pairs)
    element = None
    if elements:
        element = torch.empty(n_pairs, dtype=torch.int64, device=products.device)
    step = _rows_per_chunk(products.device, len(synthesis) * products.itemsize)
    for start in range(0, n_pairs, step):
        pairs = slice(start, start + step)
        correlations = products[:, pairs].T @ synthesis.T
        if element is None:
            torch.amax(correlations, dim=1, out=maximum[pairs])
        else:
            torch.max(correlations, dim=1, out=(maximum[pairs], element[pairs]))
    return maximum, element


def _rows_per_chunk(device: torch.device, row_bytes: int) -> int:
    return max(1, _CHUNK_BYTES.get(device.type, _CHUNK_BYTES_ELSEWHERE) // row_bytes)


def settled(cosines: Tensor) -> Tensor:
    """Cosines in [-1, 1], and 1 where only rounding is between."""
    return cosines.clamp(-1.0, 1.0).masked_fill_(cosines > 1.0 - _ROUNDING[cosines.dtype], 1.0)


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
