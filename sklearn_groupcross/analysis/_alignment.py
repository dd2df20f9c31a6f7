"""Similarity up to the group between the atoms of two dictionaries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from ..groups import FiniteGroup, GroupFourier

# Correlations of one tile, (rows, columns, order): 64 MiB of float32.
_CORRELATIONS_A_TILE = 2**24


def aligned_similarity(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    group: FiniteGroup,
    device: torch.device,
    *,
    up_to_group: bool = True,
) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """Largest cosine of every pair over right translations, and where it is attained.

    ``s_ij = max_h ⟨W_i, R_h V_j⟩`` for unit atoms, through the group Fourier transform, a tile at
    a time.

    Parameters
    ----------
    first : ndarray of shape (m, order, d)
        Unit atoms, or zeros.
    second : ndarray of shape (n, order, d)
    group : FiniteGroup
    device : torch.device
    up_to_group : bool, default=True
        Otherwise h is the identity.

    Returns
    -------
    similarity : ndarray of shape (m, n)
        In [-1, 1].
    alignment : ndarray of shape (m, n), int64
        The h for which ``R_h V_j`` comes closest to ``W_i``; of equally close ones the first.
    """
    dtype = np.result_type(first, second)
    similarity = np.empty((len(first), len(second)), dtype=dtype)
    alignment = np.full(similarity.shape, group.identity, dtype=np.int64)
    fourier = GroupFourier(group)
    size = max(1, int((_CORRELATIONS_A_TILE // group.order) ** 0.5))
    for rows in _slices(len(first), size):
        left = torch.tensor(first[rows].astype(dtype), device=device)
        for columns in _slices(len(second), size):
            right = torch.tensor(second[columns].astype(dtype), device=device)
            if up_to_group:
                best, where = fourier.correlate(left, right).max(dim=2)
                alignment[rows, columns] = where.cpu().numpy()
            else:
                best = left.flatten(1) @ right.flatten(1).T
            similarity[rows, columns] = best.clamp(-1.0, 1.0).cpu().numpy()
    return similarity, alignment


def aligned_distances(
    atoms: NDArray[np.floating], group: FiniteGroup, device: torch.device
) -> NDArray[np.floating]:
    """Symmetric distances ``1 - s_ij`` of unit atoms, in [0, 2], with a zero diagonal."""
    similarity, _ = aligned_similarity(atoms, atoms, group, device)
    # c_ij(h) = c_ji(h⁻¹): the two triangles differ by rounding alone
    distances = np.clip(1.0 - (similarity + similarity.T) / 2, 0.0, 2.0)
    np.fill_diagonal(distances, 0.0)
    return distances


def _slices(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
