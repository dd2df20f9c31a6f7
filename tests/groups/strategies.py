"""Groups to test laws on, and a slow way to find their subgroups."""

from __future__ import annotations

import itertools

import numpy as np

from sklearn_groupcross import testing
from sklearn_groupcross.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    FiniteGroup,
    Quaternion,
    Symmetric,
)

PLANAR_GROUPS = testing.planar_groups(8)
GROUPS = testing.groups(max_order=48)
NON_ABELIAN = [Dihedral(3), Dihedral(8), Alternating(4), Quaternion(), Cyclic(3) * Symmetric(3)]


def brute_force_subgroups(group: FiniteGroup) -> set[tuple[int, ...]]:
    """All subsets closed under the product: for groups of at most a dozen elements."""
    found = set()
    others = range(1, group.order)
    for size in range(group.order):
        for subset in itertools.combinations(others, size):
            elements = np.array([0, *subset])
            if np.isin(group.cayley_table[np.ix_(elements, elements)], elements).all():
                found.add(tuple(elements.tolist()))
    return found
