"""Cosines between atoms and their right translates."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from ..groups import FiniteGroup

FloatArray = NDArray[np.floating]


def unit_atoms(components: FloatArray, order: int) -> FloatArray:
    """Atoms of shape (m, order, d) and norm 1; zero atoms stay zero."""
    norms = np.linalg.norm(components, axis=1, keepdims=True)
    unit = np.divide(components, norms, out=np.zeros_like(components), where=norms > 0)
    return unit.reshape(len(components), order, -1)


def best_alignment(
    atoms: FloatArray, group: FiniteGroup, device: torch.device, *, progress: bool = False
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Largest cosine of every pair over all right translations, and where it is attained.

    ``s_ij = max_h ⟨W_i, R_h W_j⟩`` for unit atoms: the paper's maximum cosine over the group
    (Gorton 2024).

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms.
    group : FiniteGroup
    device : torch.device
    progress : bool, default=False

    Returns
    -------
    similarity : ndarray of shape (m, m)
        Exactly symmetric.
    alignment : ndarray of shape (m, m), int64
        ``alignment[i, j]`` is the h for which ``R_h W_j`` comes closest to ``W_i``;
        ``alignment[j, i]`` is its inverse.
    """
    blocks = torch.tensor(atoms, device=device)
    flat = blocks.flatten(1)
    m = len(flat)
    similarity = torch.full((m, m), -torch.inf, dtype=flat.dtype, device=device)
    alignment = torch.zeros((m, m), dtype=torch.int64, device=device)
    for h in tqdm(range(group.order), desc="comparing features", disable=not progress):
        permutation = torch.tensor(group.right_translation(h), device=device)
        cosine = flat @ blocks[:, permutation].flatten(1).T
        better = cosine > similarity
        similarity = torch.where(better, cosine, similarity)
        alignment = torch.where(better, h, alignment)
    # c_ij(h) = c_ji(h⁻¹), so both triangles hold the same maxima up to rounding: keep the upper
    similarity = similarity.triu() + similarity.triu(1).T
    inverses = torch.tensor(group.inverses, device=device)
    alignment = alignment.triu() + inverses[alignment].triu(1).T
    return similarity.cpu().numpy(), alignment.cpu().numpy()


def self_profiles(atoms: FloatArray, group: FiniteGroup) -> FloatArray:
    """Cosine of every atom with its own translates, ``c_ii(h)``, of shape (m, order)."""
    # torch: the bits of numpy's einsum depend on where in memory the arrays happen to lie
    blocks = torch.tensor(atoms)
    profiles = [
        (blocks * blocks[:, torch.tensor(group.right_translation(h))]).sum(dim=(1, 2))
        for h in range(group.order)
    ]
    return torch.stack(profiles, dim=1).clamp(-1.0, 1.0).numpy()


def transform_block(atom: FloatArray) -> FloatArray:
    """Cosine of every pair of blocks of one atom, ``T[g, h] = cos(W[g], W[h])``.

    Parameters
    ----------
    atom : ndarray of shape (order, d)

    Returns
    -------
    block : ndarray of shape (order, order)
        Zero where a block is.
    """
    norms = np.linalg.norm(atom, axis=1, keepdims=True)
    unit = np.divide(atom, norms, out=np.zeros_like(atom), where=norms > 0)
    return np.clip(unit @ unit.T, -1.0, 1.0)
