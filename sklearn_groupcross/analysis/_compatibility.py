"""Which features may stand in one family: those that can be called by one symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..groups import FiniteGroup, PlanarGroup, Stabilizer, Subgroup, score_subgroups

FloatArray = NDArray[np.floating]

# How far features may differ in what one of them is called by. What is measured of an atom is
# measured with noise, and a difference at a threshold is none: see benchmarks/family_symmetry.py.
TOLERANCE = 0.25
_ROWS_A_PASS = 256


class Symmetries:
    """What every feature is called, and how nearly it has what others are called.

    Symmetries are compared by type: in the plane by the number of turns and whether there are
    mirrors, elsewhere by conjugacy class. Mirrors on axes that the group does not carry to one
    another are of one type: a curve stands at any angle, and its axis falls to whichever is near.

    Parameters
    ----------
    group : FiniteGroup
    profiles : ndarray of shape (m, order)
        Self-profiles.
    stabilizers : sequence of Stabilizer, of length m
    """

    def __init__(
        self,
        group: FiniteGroup,
        profiles: FloatArray,
        stabilizers: Sequence[Stabilizer],
    ) -> None:
        self.group = group
        types = [symmetry_type(subgroup) for subgroup in group.subgroups()]
        number = {kind: i for i, kind in enumerate(dict.fromkeys(types))}
        numbers = np.array([number[kind] for kind in types])
        scores = np.minimum(*score_subgroups(group, profiles))
        # how nearly each has a symmetry of each type, on whatever axis
        self._has = np.stack(
            [scores[:, numbers == i].max(axis=1) for i in range(len(number))], axis=1
        )
        self._called = np.array([number[symmetry_type(s.subgroup)] for s in stabilizers], np.intp)

    def differences(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> FloatArray:
        """By how much one feature of a pair lacks what the other is called.

        Parameters
        ----------
        first, second : ndarray of int
            Features, of shapes that broadcast.

        Returns
        -------
        differences : ndarray
            In ``min(E_H, min_H c_ii)``, which `find_stabilizers` holds against its threshold. 0 or
            less where each has of the other's symmetry as much as the other.
        """
        theirs, own = self._called[second], self._called[first]
        lacks = self._has[second, theirs] - self._has[first, theirs]
        lacking = self._has[first, own] - self._has[second, own]
        return np.maximum(lacks, lacking)

    def compatible(self) -> NDArray[np.bool_]:
        """Pairs of all features that may stand in one family, (m, m), symmetric."""
        every = np.arange(len(self._called))
        compatible = np.empty((len(every), len(every)), dtype=bool)
        for start in range(0, len(every), _ROWS_A_PASS):
            rows = every[start : start + _ROWS_A_PASS]
            compatible[rows] = self.differences(rows[:, None], every) <= TOLERANCE
        return compatible


def symmetry_type(subgroup: Subgroup) -> Any:
    """What symmetries that count as the same share: a key to compare."""
    group = subgroup.group
    if isinstance(group, PlanarGroup):
        mirrored = group.mirrored[list(subgroup.elements)]
        return int((~mirrored).sum()), bool(mirrored.any())
    return subgroup.conjugacy_class[0].elements
