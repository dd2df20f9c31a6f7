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
    """Basis of what vectors (n, width) span, if that is at most half of either."""
    n, width = vectors.shape
    exact = vectors.double()
    energies, axes = torch.linalg.eigh(exact @ exact.T)
    rank = int((energies > smallest).sum())
    if rank > min(n, width) // 2:
        return None
    spanned = torch.linalg.qr(exact.T @ axes[:, n - rank :])[0]
    return spanned.to(vectors.dtype)
