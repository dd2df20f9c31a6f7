from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from sympy.combinatorics.perm_groups import PermutationGroup
from sympy.combinatorics.permutations import Permutation

from sklearn_groupcross.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    Quaternion,
    SemidirectProduct,
    Symmetric,
)
from sklearn_groupcross.groups._isomorphism import find_isomorphism
from sklearn_groupcross.testing import (
    permutation_groups,
)


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (Cyclic(12), "C12"),
        (Cyclic(3) * Cyclic(4), "C12"),
        (Cyclic(6) * Cyclic(4), "C2 × C12"),
        (Cyclic(2) * Cyclic(2) * Cyclic(2), "C2 × C2 × C2"),
        (Dihedral(2), "C2 × C2"),
        (Symmetric(3), "D3"),
        (Dihedral(3) * Cyclic(2), "D6"),
        (Quaternion(), "Q8"),
        (SemidirectProduct(Cyclic(3), Cyclic(4), [[0, 1, 2], [0, 2, 1]] * 2), "Dic3"),
        (Alternating(4), "A4"),
        (Symmetric(4), "S4"),
        (Alternating(5), "A5"),
        (Symmetric(5), "S5"),
        (Alternating(6), "A6"),
        (Symmetric(6), "S6"),
        (Quaternion() * Cyclic(3), "order 24"),
    ],
    ids=str,
)
def test_isomorphism_types(group, name):
    assert group.isomorphism_type == name


@given(permutation_groups())
def test_named_types_are_really_isomorphic(group):
    families = {"A4": Alternating(4), "S4": Symmetric(4), "A5": Alternating(5), "S5": Symmetric(5)}
    name = group.isomorphism_type
    if name in families:
        target = families[name]
    elif name.startswith("D") and name[1:].isdigit():
        target = Dihedral(int(name[1:]))
    elif name.startswith("C"):
        target = Cyclic(1)
        for factor in name.split(" × "):
            target = target * Cyclic(int(factor[1:]))
    else:
        return
    mapping = find_isomorphism(group.cayley_table, target.cayley_table)
    assert mapping is not None
    np.testing.assert_array_equal(
        mapping[group.cayley_table], target.cayley_table[np.ix_(mapping, mapping)]
    )


def test_no_isomorphism_is_found_where_there_is_none():
    for source, target in ((Quaternion(), Dihedral(4)), (Cyclic(4), Dihedral(2))):
        assert find_isomorphism(source.cayley_table, target.cayley_table) is None


Q8 = PermutationGroup(Permutation([1, 4, 3, 6, 5, 0, 7, 2]), Permutation([2, 7, 4, 1, 6, 3, 0, 5]))
