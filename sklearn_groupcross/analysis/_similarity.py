"""Largest cosines between atoms and their right translates."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..groups import FiniteGroup
from ._correlation import Spectra, check_atoms, settled, tiles
from ._low_rank import Bases

FloatArray = NDArray[np.floating]

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
        peak = np.maximum(part.max(axis=1), -part.min(axis=1))[:, None]
        scaled = np.divide(part, np.where(peak > 0, peak, 1), order="C")
        # torch: the bits of a numpy sum may depend on where in memory the array happens to lie
        norms = torch.linalg.vector_norm(torch.from_numpy(scaled), dim=1, dtype=torch.float64)
        norms[norms == 0] = 1.0
        unit[start : start + step] = scaled / norms[:, None].numpy()
    return unit.reshape(len(components), order, -1)


def best_alignment(
    first: FloatArray | Spectra,
    second: FloatArray | Spectra | None,
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
    first : ndarray of shape (m, order, d) or Spectra
        Unit atoms, V; zero for dead ones. What is compared several times is given as its spectra,
        in whose bases the other is then compared.
    second : ndarray of shape (n, order, d), Spectra or None
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
    if (
        isinstance(first, np.ndarray)
        and isinstance(second, np.ndarray)
        and (first.dtype != second.dtype or first.shape[2] != second.shape[2])
    ):
        raise ValueError(
            "Both dictionaries need the same dtype and number of channels; got "
            f"{first.shape[2]} of {first.dtype} and {second.shape[2]} of {second.dtype}."
        )
    bases = first.bases if isinstance(first, Spectra) else None
    right = None if second is None else _spectra(second, group, device, bases)
    left = _spectra(first, group, device, None if right is None else right.bases)
    shape = (len(left), len(left if right is None else right))
    similarity = torch.empty(shape, dtype=left.dtype, device="cpu").numpy()
    alignment = np.empty(shape, dtype=_index_dtype(group))
    inverses = group.inverses.astype(alignment.dtype)
    for tile in tiles(left, right, size=tile_size, progress=progress):
        assert tile.element is not None
        values = settled(tile.maximum).cpu().numpy()
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


def nearest_cosines(
    atoms: FloatArray, spectra: Spectra, left_out: NDArray[np.integer], dead: NDArray[np.bool_]
) -> FloatArray:
    """Largest cosine of each of some atoms with those of a dictionary, over right translations.

    Parameters
    ----------
    atoms : ndarray of shape (n, order, d)
        Unit atoms.
    spectra : Spectra
        Of the m atoms of the dictionary.
    left_out : ndarray of shape (n,), of int
        For each atom, the one of the dictionary that is not looked at.
    dead : ndarray of shape (m,), bool
        Nor are these.

    Returns
    -------
    cosines : ndarray of shape (n,)
        In the atoms' dtype; -inf where nothing is left.
    """
    device = spectra.device
    found = torch.full((len(atoms),), -torch.inf, dtype=spectra.dtype, device=device)
    own, silent = (torch.from_numpy(each).to(device) for each in (left_out, dead))
    left = Spectra(atoms, spectra.group, device, spectra.bases)
    for tile in tiles(left, spectra, elements=False):
        values = settled(tile.maximum)
        values[:, silent[tile.columns]] = -torch.inf
        at = own[tile.rows] - tile.columns.start
        rows = ((at >= 0) & (at < values.shape[1])).nonzero()[:, 0]
        values[rows, at[rows]] = -torch.inf
        found[tile.rows] = torch.maximum(found[tile.rows], values.amax(dim=1))
    return found.cpu().numpy()


def nearest_neighbors(
    atoms: FloatArray,
    group: FiniteGroup,
    k: int,
    device: torch.device,
    *,
    spectra: Spectra | None = None,
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
    spectra : Spectra, optional
        Of the atoms, where they are there already.
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
    spectra = Spectra(atoms, group, device) if spectra is None else spectra
    dead = torch.from_numpy(~alive).to(device)
    nearest = _Nearest(len(atoms), k, spectra.dtype, device)
    for tile in tiles(spectra, size=tile_size, elements=False, progress=progress):
        values = settled(tile.maximum)
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


def _spectra(
    atoms: FloatArray | Spectra, group: FiniteGroup, device: torch.device, bases: Bases | None
) -> Spectra:
    return atoms if isinstance(atoms, Spectra) else Spectra(atoms, group, device, bases)


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


def _index_dtype(group: FiniteGroup) -> type[np.signedinteger]:
    """Indices of elements in as few bytes as numpy indexes with."""
    return np.int16 if group.order <= 2**15 else np.int32
