from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy.combinatorics import named_groups
from sympy.combinatorics.perm_groups import PermutationGroup
from sympy.combinatorics.permutations import Permutation

from sklearn_groupcross import groups as families
from sklearn_groupcross.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    FiniteGroup,
    Quaternion,
    Symmetric,
    Trivial,
)
from sklearn_groupcross.groups._isomorphism import find_isomorphism
from sklearn_groupcross.testing import (
    elements,
    groups,
    groups_with_elements,
    orbit_stacks,
    subgroups,
)
from tests.groups.strategies import (
    GROUPS,
    NON_ABELIAN,
)

SMALL = groups(max_order=60)


@given(groups_with_elements(3))
def test_group_axioms(case):
    group, (a, b, c) = case
    multiply = group.multiply
    assert multiply(multiply(a, b), c) == multiply(a, multiply(b, c))
    assert multiply(group.identity, a) == a == multiply(a, group.identity)
    assert multiply(a, group.inverse(a)) == group.identity == multiply(group.inverse(a), a)


@given(groups_with_elements(2))
def test_right_translations_are_a_homomorphism(case):
    group, (h, k) = case
    orbits = np.arange(group.order)[None] * 10.0
    product = group.multiply(h, k)
    by_steps = orbits[:, group.right_translation(k)][:, group.right_translation(h)]
    np.testing.assert_array_equal(orbits[:, group.right_translation(product)], by_steps)


@pytest.mark.parametrize("group", NON_ABELIAN, ids=repr)
def test_left_translations_would_fail_that_test(group):
    """The law tells right from left: rows of the table compose the other way round."""
    orbits = np.arange(group.order)
    fails = [
        not np.array_equal(
            orbits[group.cayley_table[group.multiply(h, k)]],
            orbits[group.cayley_table[k]][group.cayley_table[h]],
        )
        for h in range(group.order)
        for k in range(group.order)
    ]
    assert any(fails)


@given(GROUPS)
def test_conjugacy_classes_partition_and_divide(group):
    classes = group.conjugacy_classes()
    assert sorted(sum(classes, ())) == list(range(group.order))
    assert all(group.order % len(c) == 0 for c in classes)
    assert group.is_abelian == (len(classes) == group.order)


@pytest.mark.parametrize(
    ("group", "sizes"),
    [
        (Symmetric(3), [1, 2, 3]),
        (Alternating(4), [1, 3, 4, 4]),
        (Quaternion(), [1, 1, 2, 2, 2]),
        (Dihedral(4), [1, 1, 2, 2, 2]),
        (Dihedral(5), [1, 2, 2, 5]),
    ],
    ids=repr,
)
def test_conjugacy_class_sizes_are_the_published_ones(group, sizes):
    assert sorted(map(len, group.conjugacy_classes())) == sizes


@given(GROUPS)
def test_value_semantics(group):
    again = eval(repr(group), vars(families))
    for other in (again, pickle.loads(pickle.dumps(group)), copy.deepcopy(group)):
        assert other == group
        assert hash(other) == hash(group)
    assert not group.cayley_table.flags.writeable


def test_same_table_but_another_action_is_another_group():
    assert Cyclic(2) != Dihedral(1)
    assert Cyclic(1) != Trivial()
    assert Cyclic(2) * Cyclic(2) != Dihedral(1) * Cyclic(2)


def test_elements_out_of_range_are_refused():
    with pytest.raises(ValueError, match="elements 0 to 5; got 6"):
        Dihedral(3).right_translation(6)


def test_names_for_people():
    group = Dihedral(32)
    assert group.order == 64
    assert [group.element_name(i) for i in (0, 1, 3, 32, 35)] == ["e", "ρ", "ρ^3", "σ", "ρ^3 σ"]
    assert group.describe_element(35) == "turn 33.75°, mirrored"
    assert group.element_order(1) == 32


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
    assert find_isomorphism(from_sympy(theirs).cayley_table, ours.cayley_table) is not None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FiniteGroup(np.zeros((1025, 1025), int)), "at most 1024 elements"),
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
