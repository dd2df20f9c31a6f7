"""How much of a feature moves like each irreducible representation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._ambient import own_state
from .._plain import as_numpy
from ..groups import FiniteGroup, GroupFourier, as_group

# Coefficients are computed some features at a time: this many bytes of float64.
_BYTES_A_PASS = 2**26


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
    fourier = GroupFourier(group)
    power = np.zeros((len(atoms), len(group.irreps)))
    n_coefficients = max(fourier.slices[-1].stop, group.order)
    step = max(1, _BYTES_A_PASS // (8 * n_coefficients * max(atoms.shape[2], 1)))
    for start in range(0, len(atoms), step):
        batch = atoms[start : start + step].astype(np.float64)
        # to unit size first: squares of tiny atoms would be zero
        largest = np.abs(batch).max(axis=(1, 2), keepdims=True, initial=0)
        batch = np.divide(batch, largest, out=np.zeros_like(batch), where=largest > 0)
        power[start : start + step] = fourier.power(batch, axis=1)
    return power
