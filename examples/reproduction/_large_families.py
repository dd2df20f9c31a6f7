"""Families that count: of three live features or more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_groupcross import GroupCrosscoder, SymmetryAnalyzer
from sklearn_groupcross.crosscoder import codes_of_activations

SMALLEST = 3  # features: two may be near by chance


def fires(crosscoder: GroupCrosscoder, untransformed: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which features are live: those that fire on a sample held out, by its identity block."""
    found = np.zeros(len(crosscoder.components_), dtype=bool)
    for start in range(0, len(untransformed), 4096):
        part = untransformed[start : start + 4096].astype(np.float32)
        found |= (codes_of_activations(crosscoder, part) > 0).any(axis=0)
    return found


def large_families(analysis: SymmetryAnalyzer, live: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Live members of each family that has three of them or more."""
    families = [np.array([i for i in f.members if live[i]], int) for f in analysis.families_]
    return [members for members in families if len(members) >= SMALLEST]


def in_families(analysis: SymmetryAnalyzer, live: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which features are in one of these."""
    inside = np.zeros(len(live), dtype=bool)
    for members in large_families(analysis, live):
        inside[members] = True
    return inside
