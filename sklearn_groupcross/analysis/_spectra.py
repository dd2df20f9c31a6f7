"""How an atom moves: its self-profile, and how much of it moves like each irrep."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from .._ambient import own_state
from .._plain import as_numpy, as_tensor
from .._stacks._coefficients import coefficients_by_column
from ..groups import CompactFourier, FiniteGroup, as_group
from ._correlation import check_atoms, settled

FloatArray = NDArray[np.floating]

# Atoms are scaled, and transformed, some at a time: this many bytes of float64.
_BYTES_A_PASS = 2**26
_CHUNK_BYTES = 4 * 2**20


@own_state()
def irrep_power(atoms: NDArray[np.floating], group: FiniteGroup | str) -> NDArray[np.float64]:
    """Share of each atom's energy in every isotypic component under right translation.

    Translating an atom changes none of it. A feature that the half turn fixes has no power where
    the half turn acts as -1; mirrors do not show, because conjugate and even some other atoms of
    different symmetry have equal spectra: for them there are profiles.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Of any norm.
    group : FiniteGroup or str

    Returns
    -------
    power : ndarray of shape (m, n_irreps), float64
        One column an irrep of ``group.irreps``. Rows sum to 1; those of zero atoms are zero.

    Raises
    ------
    ValueError
        If the atoms do not have the group's number of blocks.

    Notes
    -----
    The components are those of the canonical decomposition [1]_ of the blocks' space.

    References
    ----------
    .. [1] Jean-Pierre Serre, *Linear Representations of Finite Groups*, Springer (1977), section
       2.6.
    """
    atoms, group = as_numpy(atoms, "atoms"), as_group(group)
    if atoms.ndim != 3 or atoms.shape[1] != group.order:
        raise ValueError(
            f"Atoms over {group!r} have shape (m, {group.order}, d); got {atoms.shape}."
        )
    power = np.zeros((len(atoms), len(group.irreps)))
    step = max(1, _BYTES_A_PASS // (8 * group.order * max(atoms.shape[2], 1)))
    for start in range(0, len(atoms), step):
        batch = atoms[start : start + step].astype(np.float64)
        # to unit size first: squares of tiny atoms would be zero
        largest = np.abs(batch).max(axis=(1, 2), keepdims=True, initial=0)
        batch = np.divide(batch, largest, out=np.zeros_like(batch), where=largest > 0)
        _, power[start : start + step] = profiles_and_power(batch, group)
    return power


def self_profiles(atoms: FloatArray, group: FiniteGroup) -> FloatArray:
    """Cosine of every atom with its own translates: see `profiles_and_power`."""
    return profiles_and_power(atoms, group)[0]


def profiles_and_power(
    atoms: FloatArray, group: FiniteGroup
) -> tuple[FloatArray, NDArray[np.float64]]:
    """Cosine of every atom with its own translates, and its energy in each isotypic component.

    Both come of the same products: at h the profile is ``Σ_ρ D/|G| tr(ρ(h)ᵀ P_ρ)``, with
    ``P_ρ[b, c] = Σ_a ⟨Ŵ(ρ)[a, b], Ŵ(ρ)[a, c]⟩`` over the independent rows, and the energy in ρ is
    ``D/|G| tr(P_ρ)``. Computed in float64, in groups of as many atoms whatever m is: a profile does
    not depend on which atoms stand beside it.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms, for profiles that are cosines; zero for dead ones.
    group : FiniteGroup

    Returns
    -------
    profiles : ndarray of shape (m, order)
        ``c_ii(h)``, in [-1, 1], in the atoms' dtype: 1 at the identity and the same at h and h⁻¹.
        Zero for dead atoms.
    power : ndarray of shape (m, n_irreps), float64
        Share of the energy in each of ``group.irreps``; zero for dead atoms.
    """
    check_atoms(atoms, group)
    m, order, d = atoms.shape
    fourier = CompactFourier(group)
    forward, synthesis = map(torch.from_numpy, (fourier.forward, fourier.correlations))
    profiles = np.empty((m, order), dtype=atoms.dtype)
    energy = np.empty((m, len(group.irreps)))
    step = max(1, _CHUNK_BYTES // (order * d * 8))
    chunk = torch.empty(step, order, d, dtype=torch.float64, device="cpu")
    for start in range(0, m, step):
        part = atoms[start : start + step]
        chunk.zero_()
        chunk[: len(part)] = as_tensor(part)
        parts = coefficients_by_column(chunk, forward, fourier)
        products = [
            columns @ columns.transpose(1, 2) for columns in (part.flatten(2) for part in parts)
        ]
        found = torch.cat([product.flatten(1) for product in products], dim=1) @ synthesis.T
        found = (found + found[:, torch.from_numpy(group.inverses.copy())]) / 2
        profiles[start : start + step] = found[: len(part)].numpy()
        for rho, product, column in zip(group.irreps, products, energy.T, strict=True):
            traces = product.diagonal(dim1=1, dim2=2).sum(dim=1)[: len(part)].numpy()
            column[start : start + step] = rho.dimension / order * traces
    total = energy.sum(axis=1, keepdims=True)
    power = np.divide(energy, total, out=np.zeros_like(energy), where=total > 0)
    return settled(torch.from_numpy(profiles)).numpy(), power
