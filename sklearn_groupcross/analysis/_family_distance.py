"""How near is near: a family distance from atoms that are as smooth and have nothing in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._correlation import Spectra
from ._similarity import nearest_cosines

# Of strangers to a dictionary, so many find a feature of it nearer than the distance chosen.
NULL_RATE = 0.02
# Below a cosine of 0.4 not a sixth of two atoms is the same, whatever chance would give; and with
# channels so few that strangers often agree, what nearly coincides is still one feature.
SMALLEST, LARGEST = 0.1, 0.6
_N_STRANGERS = 1000


def choose_family_distance(
    atoms: NDArray[np.floating],
    spectra: Spectra,
    rng: np.random.Generator,
) -> float:
    """Distance at which a stranger, as smooth as the features, would rarely join one of them.

    A stranger is one of the atoms with the signs of its channels drawn anew, the same for all of
    its blocks: its profile, its spectrum and what share of it lies in which channel stay, and what
    its channels say together is gone. Its distance from the nearest other feature is what chance
    and smoothness give; the distance chosen is the 2 % quantile over strangers, at least 0.1, at
    most 0.6.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms; zero for dead ones.
    spectra : Spectra
        Of these.
    rng : numpy.random.Generator

    Returns
    -------
    distance : float
        0.6 where there are not two live atoms to compare.
    """
    dead = ~np.asarray(atoms.any(axis=(1, 2)))
    live = np.flatnonzero(~dead)
    if len(live) < 2:
        return LARGEST
    nearest: list[float] = []
    while len(nearest) < _N_STRANGERS:
        chosen = live[rng.permutation(len(live))[: _N_STRANGERS - len(nearest)]]
        strangers = atoms[chosen]
        strangers *= balanced_signs(strangers, rng)
        # a stranger made of an atom keeps what that has in single channels
        cosines = nearest_cosines(strangers, spectra, chosen, dead)
        nearest.extend((1.0 - cosines).tolist())
    return float(np.clip(np.quantile(nearest, NULL_RATE), SMALLEST, LARGEST))


def balanced_signs(atoms: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.floating]:
    """Signs (n, 1, d) that leave of ``⟨atom, signed atom⟩`` as little as can be.

    Channels are paired by their energy, and of each pair one, drawn at random, changes its sign:
    with signs drawn one by one a stranger made from few channels is often no stranger.
    """
    n, _, d = atoms.shape
    order = np.argsort(np.square(atoms).sum(axis=1), axis=1)[:, ::-1]
    first = rng.integers(0, 2, size=(n, (d + 1) // 2)) * 2 - 1
    paired = np.stack([first, -first], axis=2).reshape(n, -1)[:, :d]
    signs = np.empty((n, d), dtype=atoms.dtype)
    np.put_along_axis(signs, order, paired.astype(atoms.dtype), axis=1)
    return signs[:, None]
