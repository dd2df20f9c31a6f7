"""Laws of structure, and sympy's combinatorics as an independent oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy.combinatorics import named_groups
from sympy.combinatorics.perm_groups import PermutationGroup
from sympy.combinatorics.permutations import Permutation

from sklearn_groupcross.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    DirectProduct,
    FiniteGroup,
    Quaternion,
    SemidirectProduct,
    Symmetric,
)
from sklearn_groupcross.groups._isomorphism import find_isomorphism
from sklearn_groupcross.testing import (
    elements,
    groups,
    groups_with_elements,
    orbit_stacks,
    permutation_groups,
    subgroups,
)

SMALL = groups(max_order=60)


@given(groups())
def test_class_equation(group):
    sizes = [len(c) for c in group.conjugacy_classes()]
    central = sum(size == 1 for size in sizes)
    assert central == group.center.order
    assert central + sum(size for size in sizes if size > 1) == group.order
    assert all(group.order % size == 0 for size in sizes)


@given(SMALL)
def test_lagrange_for_every_subgroup_and_its_cosets(group):
    for subgroup in group.subgroups():
        for side in ("left", "right"):
            cosets = group.cosets(subgroup, side)
            assert sorted(sum(cosets, ())) == list(range(group.order))
            assert {len(coset) for coset in cosets} == {subgroup.order}


@given(SMALL, st.data())
def test_left_and_right_cosets_agree_for_normal_subgroups_alone(group, data):
    subgroup = data.draw(subgroups(group))
    agree = group.cosets(subgroup, "left") == group.cosets(subgroup, "right")
    assert agree == subgroup.is_normal
    assert subgroup.is_normal == all(subgroup.conjugate(g) == subgroup for g in range(group.order))


@given(SMALL, st.data())
def test_quotients_are_groups_and_the_projection_a_homomorphism(group, data):
    normal = data.draw(st.sampled_from(group.normal_subgroups()))
    quotient = group.quotient(normal)
    assert quotient.order * normal.order == group.order
    cosets = group.cosets(normal)
    coset_of = {g: i for i, coset in enumerate(cosets) for g in coset}
    a, b = data.draw(elements(group)), data.draw(elements(group))
    assert coset_of[group.multiply(a, b)] == quotient.multiply(coset_of[a], coset_of[b])


@given(SMALL, st.data())
def test_restrictions_multiply_like_the_parent(group, data):
    subgroup = data.draw(subgroups(group))
    members = np.array(subgroup.elements)
    np.testing.assert_array_equal(
        members[group.restrict(subgroup).cayley_table], group.cayley_table[np.ix_(members, members)]
    )


@given(groups_with_elements(2), st.data())
def test_translations_are_commuting_homomorphisms(case, data):
    group, (h, k) = case
    blocks = data.draw(orbit_stacks(group, n_samples=1))[0]
    left, right = group.left_translation, group.right_translation
    hk = group.multiply(h, k)
    np.testing.assert_array_equal(blocks[left(hk)], blocks[left(k)][left(h)])
    np.testing.assert_array_equal(blocks[right(hk)], blocks[right(k)][right(h)])
    np.testing.assert_array_equal(blocks[left(h)][right(k)], blocks[right(k)][left(h)])
    np.testing.assert_array_equal(group.translates(blocks)[h], blocks[right(h)])


# --- families ------------------------------------------------------------------------------------


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
    mapping = find_isomorphism(group, target)
    assert mapping is not None
    np.testing.assert_array_equal(
        mapping[group.cayley_table], target.cayley_table[np.ix_(mapping, mapping)]
    )


def test_no_isomorphism_is_found_where_there_is_none():
    assert find_isomorphism(Quaternion(), Dihedral(4)) is None
    assert find_isomorphism(Cyclic(4), Dihedral(2)) is None


def test_quaternions_multiply_as_hamilton_cut_them_into_the_bridge():
    group = Quaternion()
    one, i, j, k, minus = 0, 1, 2, 3, 4
    multiply = group.multiply
    assert multiply(i, i) == multiply(j, j) == multiply(k, k) == minus
    assert multiply(multiply(i, j), k) == minus
    assert group.element_name(multiply(j, i)) == "-k"
    assert multiply(minus, minus) == one


def test_element_names():
    assert Symmetric(3).element_name(3) == "(0 1 2)"
    product = Cyclic(4) * Dihedral(2)
    assert product.element_name(5) == "(ρ, ρ)"
    assert product.describe_element(5) == "turn 90° and turn 180°"
    stabilizer = Symmetric(4).generated_subgroup([1])
    assert stabilizer.name == "C2: (2 3)"


# --- the oracle ----------------------------------------------------------------------------------


def from_sympy(group: PermutationGroup) -> FiniteGroup:
    return FiniteGroup.from_permutations(*[g.array_form for g in group.generators])


Q8 = PermutationGroup(Permutation([1, 4, 3, 6, 5, 0, 7, 2]), Permutation([2, 7, 4, 1, 6, 3, 0, 5]))
ORACLE = {
    "S4": (named_groups.SymmetricGroup(4), Symmetric(4)),
    "A5": (named_groups.AlternatingGroup(5), Alternating(5)),
    "Q8": (Q8, Quaternion()),
    **{f"D{n}": (named_groups.DihedralGroup(n), Dihedral(n)) for n in range(4, 13)},
}


@pytest.mark.parametrize("name", ORACLE)
def test_sympy_agrees(name):
    theirs, ours = ORACLE[name]
    assert ours.order == theirs.order()
    assert sorted(map(len, ours.conjugacy_classes())) == sorted(
        map(len, theirs.conjugacy_classes())
    )
    assert ours.center.order == theirs.center().order()
    assert find_isomorphism(from_sympy(theirs), ours) is not None


@pytest.mark.parametrize(
    ("group", "n_subgroups", "n_normal"),
    [  # published counts (OEIS A005432 for S_n, tables of small groups)
        (Symmetric(3), 6, 3),
        (Symmetric(4), 30, 4),
        (Alternating(4), 10, 3),
        (Alternating(5), 59, 2),
        (Quaternion(), 6, 6),
        (Symmetric(5), 156, 3),
        (Cyclic(2) * Cyclic(2) * Cyclic(2), 16, 16),
        *[(Dihedral(n), None, None) for n in range(4, 13)],
    ],
    ids=str,
)
def test_subgroup_counts_are_the_published_ones(group, n_subgroups, n_normal):
    if n_subgroups is None:
        n = group.n_turns
        divisors = [d for d in range(1, n + 1) if n % d == 0]
        n_subgroups = len(divisors) + sum(divisors)
        # rotations of every divisor, everything, and two dihedral halves where n is even
        n_normal = len(divisors) + 1 + 2 * (n % 2 == 0)
    assert len(group.subgroups()) == n_subgroups
    assert len(group.normal_subgroups()) == n_normal


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FiniteGroup.from_permutations((0, 0, 1)), r"Generator 0, \[0, 0, 1\], is not"),
        (lambda: FiniteGroup.from_permutations((0, 1), (0, 1, 2)), "Generator 1"),
        (lambda: FiniteGroup.from_permutations(), "At least one"),
        (
            lambda: FiniteGroup.from_permutations((1, 2, 3, 4, 5, 6, 0), (1, 0, 2, 3, 4, 5, 6)),
            "generate more than 1024",
        ),
        (
            lambda: FiniteGroup.from_matrices([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]),
            "do not close: 1024 elements .* generator 0",
        ),
        (lambda: FiniteGroup.from_matrices([[1, 0], [0, 0]]), "Generator 0 is singular"),
        (lambda: FiniteGroup.from_matrices(np.eye(2), np.eye(3)), "Generator 1 has shape"),
        (lambda: FiniteGroup(np.zeros((1025, 1025), int)), "at most 1024 elements"),
        (lambda: Symmetric(7), "1 <= n <= 6"),
        (lambda: Dihedral(32) * Dihedral(16), "2048 elements; at most 1024"),
        (lambda: DirectProduct(Symmetric(6), Cyclic(2)), "at most 1024"),
        (lambda: SemidirectProduct(Cyclic(3), Cyclic(2), [[0, 1, 2]]), r"\(2, 3\)"),
        (
            lambda: SemidirectProduct(Cyclic(4), Cyclic(2), [[0, 1, 2, 3], [0, 2, 1, 3]]),
            "Element 1 does not act by an automorphism",
        ),
        (
            lambda: SemidirectProduct(
                Cyclic(7), Cyclic(3), [[m * 3**h % 7 for m in range(7)] for h in range(3)]
            ),
            "no homomorphism",
        ),
        (lambda: Symmetric(3).quotient(Symmetric(3).generated_subgroup([1])), "is not normal"),
        (lambda: Cyclic(4).restrict(Cyclic(2).generated_subgroup([1])), "not a subgroup of"),
        (lambda: Cyclic(4).cosets(Cyclic(4).center, "up"), "'left' or 'right'"),
        (lambda: Cyclic(4).regular_representation("up"), "'left' or 'right'"),
        (lambda: Cyclic(4).translates(np.zeros((3, 2))), r"\(4, ...\)"),
    ],
)
def test_bad_input_names_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()
