"""Bases of the few coordinates in which a dictionary was trained, found in its atoms."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: For each irrep an orthonormal basis (D / t * d, r); None where nothing is gained by one.
Bases: TypeAlias = list[Tensor | None]

#: Share of an atom's energy that may lie outside: cosines change by no more than that.
NEGLIGIBLE = 1e-9
# With fewer atoms all products together take less than a second.
_MIN_ATOMS = 512
_N_OF_THEM = 256
# So many vectors are summed at first: a Gram matrix of all takes most of the time.
_SUMMED = 4
# Share of all energy below which a direction holds nothing: what rounding in float32 leaves in one
# is a hundred times less.
_SMALLEST = 1e-13


def few_of(atoms: NDArray[np.floating]) -> NDArray[np.int64] | None:
    """Indices of atoms in which bases are sought, evenly spaced; None where they are not.

    They are not in float64, where cosines are asked for to more digits than a Gram matrix holds.
    """
    if len(atoms) < _MIN_ATOMS or atoms.dtype != np.float32:
        return None
    return np.linspace(0, len(atoms) - 1, _N_OF_THEM).astype(np.int64)


def find_bases(parts: list[Tensor], weights: list[float]) -> Bases:
    """Find what a few atoms span, irrep by irrep.

    ``compression`` keeps, in every isotypic component, some axes (row, channel) and all columns.
    As soon as there are more columns of atoms than axes, they span these.

    Parameters
    ----------
    parts : list of Tensor
        Coefficients of the few: for each irrep, shape (D, n, D / t * d).
    weights : list of float
        Share of an atom's energy for each unit of its squared coefficients.

    Returns
    -------
    bases : list of Tensor or None
    """
    n_atoms = parts[0].shape[1]
    return [
        _basis(part.flatten(0, 1), _SMALLEST * n_atoms / weight)
        for part, weight in zip(parts, weights, strict=True)
    ]


def _basis(vectors: Tensor, smallest: float) -> Tensor | None:
    """Basis of what vectors (n, width) span, if that is at most half of either.

    Sums of a few of them with random signs span as much, unless that is more than half of the sums.
    """
    n, width = vectors.shape
    exact = vectors.double()
    generator = torch.Generator("cpu").manual_seed(0)
    signs = 1.0 - 2.0 * torch.randint(2, (n, 1), generator=generator, device="cpu")
    sums = (exact * signs.to(exact)).reshape(n // _SUMMED, _SUMMED, width).sum(dim=1)
    for given in (sums, exact):
        energies, axes = torch.linalg.eigh(given @ given.T)
        rank = int((energies > smallest).sum())
        if rank <= min(len(given), width) // 2:
            spanned = torch.linalg.qr(given.T @ axes[:, len(given) - rank :])[0]
            return spanned.to(vectors.dtype)
    return None
