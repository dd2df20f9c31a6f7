"""Largest cosines between atoms and their right translates."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._plain import as_tensor
from .._stacks._coefficients import coefficients_by_column
from ..groups import CompactFourier, FiniteGroup
from ._correlation import Spectra, check_atoms, tiles

FloatArray = NDArray[np.floating]

# Cosines as near to 1 as this are 1. Rounding leaves less between an atom and its translates (up to
# 5 machine epsilons in float32; in float64 the irreps, found numerically, add their own 1e-14).
_ROUNDING = {torch.float32: 4e-6, torch.float64: 1e-12}
_CHUNK_BYTES = 4 * 2**20


def unit_atoms(components: FloatArray, order: int) -> FloatArray:
    """Atoms of norm 1; zero atoms stay zero.

    Parameters
    ----------
    components : ndarray of shape (m, order * d)
        Finite. Of any size: neither 1e-30 nor 1e30 is lost in squaring, in float32 either.
    order : int

    Returns
    -------
    atoms : ndarray of shape (m, order, d)
        A new array of the same dtype.
    """
    unit = np.empty_like(components, order="C")
    step = max(1, _CHUNK_BYTES // max(1, components[:1].nbytes))
    for start in range(0, len(components), step):
        part = components[start : start + step]
        peak = np.abs(part).max(axis=1, keepdims=True)
        scaled = np.divide(part, peak, out=np.zeros_like(part, order="C"), where=peak > 0)
        # torch: the bits of a numpy sum may depend on where in memory the array happens to lie
        norms = torch.linalg.vector_norm(torch.from_numpy(scaled), dim=1, dtype=torch.float64)
        norms[norms == 0] = 1.0
        unit[start : start + step] = scaled / norms[:, None].numpy()
    return unit.reshape(len(components), order, -1)


def best_alignment(
    first: FloatArray,
    second: FloatArray | None,
    group: FiniteGroup,
    device: torch.device,
    *,
    tile_size: int | None = None,
    progress: bool = False,
) -> tuple[FloatArray, NDArray[np.signedinteger]]:
    """Largest cosine of every pair over all right translations, and where it is attained.

    ``s_ij = max_h ⟨V_i, R_h W_j⟩`` for unit atoms: the paper's maximum cosine over the group
    (Gorton 2024). The correlations at all h come out of the group Fourier transform, for a tile of
    pairs at a time, and only their maximum is kept.

    Parameters
    ----------
    first : ndarray of shape (m, order, d)
        Unit atoms, V; zero for dead ones.
    second : ndarray of shape (n, order, d) or None
        Unit atoms, W. None: `first` again, at half the cost.
    group : FiniteGroup
    device : torch.device
        It holds one copy of both dictionaries, and one tile.
    tile_size : int, optional
        Rows and columns of a tile. Default: by a budget of memory.
    progress : bool, default=False

    Returns
    -------
    similarity : ndarray of shape (m, n)
        In [-1, 1], in the atoms' dtype. A cosine within rounding of 1 (4e-6 in float32, 1e-12 in
        float64) is 1: an atom and its translates are at distance 0. A dead atom has similarity 0
        with every atom. With `second` None exactly symmetric, and 1 on the diagonal, for dead
        atoms too.
    alignment : ndarray of shape (m, n), int16, or int32 for groups of more than 32768 elements
        ``alignment[i, j]`` is the h for which ``R_h W_j`` comes closest to ``V_i``; of several
        that do, up to rounding, any. An index: convert it before reckoning with it. Identity for
        dead atoms. With `second` None ``alignment[j, i]`` is the inverse, and the diagonal is the
        identity.

    Raises
    ------
    ValueError
        If the atoms are not one block for each element, or differ in channels.
    """
    right = None
    if second is not None:
        if first.dtype != second.dtype or first.shape[2] != second.shape[2]:
            raise ValueError(
                "Both dictionaries need the same dtype and number of channels; got "
                f"{first.shape[2]} of {first.dtype} and {second.shape[2]} of {second.dtype}."
            )
        right = Spectra(second, group, device)
    left = Spectra(first, group, device, None if right is None else right.bases)
    shape = (len(left), len(left if right is None else right))
    similarity = np.empty(shape, dtype=first.dtype)
    alignment = np.empty(shape, dtype=_index_dtype(group))
    inverses = group.inverses.astype(alignment.dtype)
    for tile in tiles(left, right, size=tile_size, progress=progress):
        assert tile.element is not None
        values = _settled(tile.maximum).cpu().numpy()
        elements = tile.element.cpu().numpy().astype(alignment.dtype)
        if right is None and tile.rows == tile.columns:
            # both triangles hold the same maxima up to rounding: keep the upper
            lower = np.tril_indices(len(values), -1)
            values[lower] = values.T[lower]
            elements[lower] = inverses[elements.T[lower]]
        similarity[tile.rows, tile.columns] = values
        alignment[tile.rows, tile.columns] = elements
        if right is None and tile.rows != tile.columns:
            # c_ij(h) = c_ji(h⁻¹)
            similarity[tile.columns, tile.rows] = values.T
            alignment[tile.columns, tile.rows] = inverses[elements].T
    if right is None:
        np.fill_diagonal(similarity, 1.0)
        np.fill_diagonal(alignment, group.identity)
    return similarity, alignment


def nearest_neighbors(
    atoms: FloatArray,
    group: FiniteGroup,
    k: int,
    device: torch.device,
    *,
    tile_size: int | None = None,
    progress: bool = False,
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Nearest neighbours of every atom, without ever holding the distances of all pairs.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms; zero for dead ones, which are nobody's neighbours and have none.
    group : FiniteGroup
    k : int
        Fewer than there are live atoms.
    device : torch.device
        It holds one copy of the atoms, one tile, and k neighbours for each atom.
    tile_size : int, optional
        Rows and columns of a tile. Default: by a budget of memory.
    progress : bool, default=False

    Returns
    -------
    distances : ndarray of shape (m, k)
        ``1 - s_ij``, increasing in each row; 1 for dead atoms.
    indices : ndarray of shape (m, k), int64
        Of the neighbours, never of the atom itself; of equally near ones the smaller first. -1 for
        dead atoms.

    Raises
    ------
    ValueError
        If k is out of range, or the atoms are not one block for each element.
    """
    check_atoms(atoms, group)
    alive = np.asarray(atoms.any(axis=(1, 2)))
    check_n_neighbors(k, alive)
    spectra = Spectra(atoms, group, device)
    dead = torch.from_numpy(~alive).to(device)
    nearest = _Nearest(len(atoms), k, spectra.dtype, device)
    for tile in tiles(spectra, size=tile_size, elements=False, progress=progress):
        values = _settled(tile.maximum)
        values[dead[tile.rows]] = -torch.inf
        values[:, dead[tile.columns]] = -torch.inf
        if tile.rows == tile.columns:
            # the upper triangle counts for both, as in `best_alignment`
            values = values.triu(1) + values.triu(1).T
            values.fill_diagonal_(-torch.inf)
            nearest.update(tile.rows, tile.columns, values)
        else:
            nearest.update(tile.rows, tile.columns, values)
            nearest.update(tile.columns, tile.rows, values.T)
    distances = 1.0 - nearest.similarity.cpu().numpy()
    indices = nearest.index.cpu().numpy()
    distances[~alive], indices[~alive] = 1.0, -1
    return distances, indices


def check_n_neighbors(k: int, alive: NDArray[np.bool_]) -> None:
    """Refuse more neighbours than there are.

    Raises
    ------
    ValueError
    """
    others = max(0, int(alive.sum()) - 1)
    if not 1 <= k <= others:
        raise ValueError(
            f"Expected a number of neighbours from 1 to {others}, since {alive.sum()} of "
            f"{len(alive)} atoms are not zero; got {k}."
        )


class _Nearest:
    """The k nearest columns of every row, of those seen so far."""

    def __init__(self, m: int, k: int, dtype: torch.dtype, device: torch.device) -> None:
        self.similarity = torch.full((m, k), -torch.inf, dtype=dtype, device=device)
        self.index = torch.zeros((m, k), dtype=torch.int64, device=device)

    def update(self, rows: slice, columns: slice, similarity: Tensor) -> None:
        """Let new columns compete; they come in increasing order, and on a tie the older stay."""
        k = self.index.shape[1]
        # once near ones are known, most rows have none that is nearer
        better = similarity > self.similarity[rows, -1:]
        changed = better.any(dim=1).nonzero()[:, 0]
        index = torch.arange(
            columns.start, columns.stop, dtype=torch.int64, device=similarity.device
        ).expand(len(changed), -1)
        at = changed + rows.start
        values = torch.cat([self.similarity[at], similarity[changed]], dim=1)
        values, order = values.sort(dim=1, descending=True, stable=True)
        self.similarity[at], order = values[:, :k], order[:, :k]
        self.index[at] = torch.cat([self.index[at], index], dim=1).gather(1, order)


def self_profiles(atoms: FloatArray, group: FiniteGroup) -> FloatArray:
    """Cosine of every atom with its own translates.

    Computed in float64, in groups of as many atoms whatever m is: a profile does not depend on
    which atoms stand beside it.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms; zero for dead ones.
    group : FiniteGroup

    Returns
    -------
    profiles : ndarray of shape (m, order)
        ``c_ii(h)``, in [-1, 1], in the atoms' dtype: 1 at the identity and the same at h and h⁻¹.
        Zero for dead atoms.
    """
    check_atoms(atoms, group)
    m, order, d = atoms.shape
    fourier = CompactFourier(group)
    forward, synthesis = map(torch.from_numpy, (fourier.forward, fourier.correlations))
    profiles = np.empty((m, order), dtype=atoms.dtype)
    step = max(1, _CHUNK_BYTES // (order * d * 8))
    chunk = torch.empty(step, order, d, dtype=torch.float64, device="cpu")
    for start in range(0, m, step):
        part = atoms[start : start + step]
        chunk.zero_()
        chunk[: len(part)] = as_tensor(part)
        parts = coefficients_by_column(chunk, forward, fourier)
        products = [
            (columns @ columns.transpose(1, 2)).flatten(1)
            for columns in (part.flatten(2) for part in parts)
        ]
        found = torch.cat(products, dim=1) @ synthesis.T
        found = (found + found[:, torch.from_numpy(group.inverses.copy())]) / 2
        profiles[start : start + step] = found[: len(part)].numpy()
    return _settled(torch.from_numpy(profiles)).numpy()


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


def _settled(cosines: Tensor) -> Tensor:
    """Cosines in [-1, 1], and 1 where only rounding is between."""
    return cosines.clamp(-1.0, 1.0).masked_fill_(cosines > 1.0 - _ROUNDING[cosines.dtype], 1.0)


def _index_dtype(group: FiniteGroup) -> type[np.signedinteger]:
    """Indices of elements in as few bytes as numpy indexes with."""
    return np.int16 if group.order <= 2**15 else np.int32
