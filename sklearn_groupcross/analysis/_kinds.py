"""Plain words for what a rotation profile looks like: lines, grids, curves or edges, round."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .._ambient import own_state
from .._plain import as_numpy
from ..groups import FiniteGroup, PlanarGroup, as_group

#: What each kind means, in terms of the self-profile p at a turn.
KINDS: dict[str, str] = {
    "line": "p(180°) > 0.8 and p(90°) < 0.2: back after half a turn",
    "grid": "p(90°) > 0.8 and p(45°) < 0.5: back after a quarter turn",
    "curve or edge": "p(180°) < 0.2 and p(smallest turn) > 0.4: needs the full turn, smoothly",
    "round": "p > 0.8 at every turn",
    "other": "none of these",
}


def measurable_kinds(group: FiniteGroup | str) -> list[str]:
    """Kinds that a group has the turns to tell apart, in the order of `KINDS`.

    Without turns finer than 90° a grid and a round feature look alike, without turns finer than
    180° a line does too.
    """
    group = as_group(group)
    n = group.n_turns if isinstance(group, PlanarGroup) else 1
    measurable = {
        "line": n % 4 == 0,
        "grid": n % 8 == 0,
        "curve or edge": n % 2 == 0 and n >= 8,
        "round": n >= 8,
        "other": True,
    }
    return [kind for kind in KINDS if measurable[kind]]


@own_state()
def name_kinds(profiles: NDArray[np.floating], group: FiniteGroup | str) -> NDArray[np.object_]:
    """Name what the rotation profile of every feature looks like.

    Stabilizers state a symmetry group; a kind also asks that the feature *change* at other
    turns, so that a feature on the way from line to round is neither.

    Parameters
    ----------
    profiles : ndarray of shape (m, order)
        Self-profiles.
    group : FiniteGroup or str
        Only its `measurable_kinds` are given.

    Returns
    -------
    kinds : ndarray of shape (m,), of str
        Keys of `KINDS`.
    """
    profiles, plane = np.asarray(as_numpy(profiles, "profiles")), as_group(group)
    kinds = np.full(len(profiles), "other", dtype=object)
    if not isinstance(plane, PlanarGroup):
        return kinds

    def at(degrees: float) -> NDArray[np.floating]:
        return profiles[:, plane.rotation_by(degrees)]

    smallest_over_turns = profiles[:, : plane.n_turns].min(axis=1)

    rules: dict[str, Callable[[], NDArray[np.bool_]]] = {
        "line": lambda: (at(180) > 0.8) & (at(90) < 0.2),
        "grid": lambda: (at(90) > 0.8) & (at(45) < 0.5),
        "curve or edge": lambda: (at(180) < 0.2) & (profiles[:, 1] > 0.4),
        "round": lambda: smallest_over_turns > 0.8,
    }
    for kind in measurable_kinds(plane):
        if kind in rules:
            kinds[rules[kind]()] = kind
    return kinds
