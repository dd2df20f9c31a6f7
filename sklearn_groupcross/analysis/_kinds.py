"""Plain words for what a rotation profile looks like: lines, grids, curves or edges, round."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..groups import FiniteGroup, PlanarGroup

#: What each kind means, in terms of the self-profile p at a turn.
KINDS: dict[str, str] = {
    "line": "p(180°) > 0.8 and p(90°) < 0.2: back after half a turn",
    "grid": "p(90°) > 0.8 and p(45°) < 0.5: back after a quarter turn",
    "curve or edge": "p(180°) < 0.2 and p(smallest turn) > 0.4: needs the full turn, smoothly",
    "round": "p > 0.8 at every turn",
    "other": "none of these",
}


def name_kinds(profiles: NDArray[np.floating], group: FiniteGroup) -> NDArray[np.object_]:
    """Name what the rotation profile of every feature looks like.

    Stabilizers state a symmetry group; a kind also asks that the feature *change* at other
    turns, so that a feature on the way from line to round is neither.

    Parameters
    ----------
    profiles : ndarray of shape (m, order)
        Self-profiles.
    group : FiniteGroup
        Kinds exist for planar groups; a kind whose turns the group lacks is never given.

    Returns
    -------
    kinds : ndarray of shape (m,), of str
        Keys of `KINDS`.
    """
    kinds = np.full(len(profiles), "other", dtype=object)
    if not isinstance(group, PlanarGroup) or group.n_turns < 2:
        return kinds

    def at(degrees: float) -> NDArray[np.floating]:
        return profiles[:, group.rotation_by(degrees)]

    n = group.n_turns
    if n % 2 == 0 and n > 2:
        kinds[(at(180) < 0.2) & (profiles[:, 1] > 0.4)] = "curve or edge"
    if n % 4 == 0:
        kinds[(at(180) > 0.8) & (at(90) < 0.2)] = "line"
    if n % 8 == 0:
        kinds[(at(90) > 0.8) & (at(45) < 0.5)] = "grid"
    kinds[(profiles[:, :n] > 0.8).all(axis=1)] = "round"
    return kinds
