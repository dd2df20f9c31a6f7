"""Groups to test laws on, non-abelian ones among them."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

from sklearn_groupcross.groups import Cyclic, Dihedral, FiniteGroup, Trivial


def from_permutations(*generators: tuple[int, ...]) -> FiniteGroup:
    """Close permutations under composition."""
    identity = tuple(range(len(generators[0])))
    elements = [identity]
    for element in elements:
        for generator in generators:
            product = tuple(element[i] for i in generator)
            if product not in elements:
                elements.append(product)
    index = {element: i for i, element in enumerate(elements)}
    table = [[index[tuple(a[i] for i in b)] for b in elements] for a in elements]
    return FiniteGroup(table)


SYMMETRIC_3 = from_permutations((1, 0, 2), (1, 2, 0))
ALTERNATING_4 = from_permutations((1, 2, 0, 3), (1, 0, 3, 2))
# left multiplication by i and j on ±1, ±i, ±j, ±k
QUATERNION = from_permutations((2, 3, 1, 0, 6, 7, 5, 4), (4, 5, 7, 6, 1, 0, 2, 3))

planar_groups = st.one_of(
    st.just(Trivial()),
    st.integers(1, 12).map(Cyclic),
    st.integers(1, 8).map(Dihedral),
)
groups = st.one_of(planar_groups, st.sampled_from([SYMMETRIC_3, ALTERNATING_4, QUATERNION]))
NON_ABELIAN = [Dihedral(3), Dihedral(8), SYMMETRIC_3, ALTERNATING_4, QUATERNION]


@st.composite
def groups_and_elements(draw: st.DrawFn, n_elements: int) -> tuple[FiniteGroup, list[int]]:
    group = draw(groups)
    element = st.integers(0, group.order - 1)
    return group, [draw(element) for _ in range(n_elements)]


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
