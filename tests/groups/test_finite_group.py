from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import given

from sklearn_groupcross import groups as families
from sklearn_groupcross.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    FiniteGroup,
    Quaternion,
    Symmetric,
    Trivial,
    group_from_json,
    group_to_json,
    order_from_json,
    parse_group,
)
from sklearn_groupcross.testing import groups_with_elements
from tests.groups.strategies import (
    NON_ABELIAN,
    groups,
)


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


@given(groups)
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


@given(groups)
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


def test_dihedral_matches_the_matrices_of_the_plane():
    group = Dihedral(5)

    def matrix(element):
        t = np.deg2rad(group.degrees(element))
        turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
        return turn @ np.diag([-1.0 if group.mirrored[element] else 1.0, 1.0])

    for a in range(group.order):
        for b in range(group.order):
            np.testing.assert_allclose(
                matrix(a) @ matrix(b), matrix(group.multiply(a, b)), atol=1e-12
            )


def swapped(table):
    table = np.array(table)
    table[[1, 2], [2, 1]] = table[[2, 1], [1, 2]]
    return table


NOT_ASSOCIATIVE = [  # a loop of order 5: identity and cancellation hold, associativity does not
    [0, 1, 2, 3, 4],
    [1, 0, 3, 4, 2],
    [2, 4, 0, 1, 3],
    [3, 2, 4, 0, 1],
    [4, 3, 1, 2, 0],
]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[0, 1, 2]], "square"),
        (np.zeros((2, 2)), "integer"),
        ([[0, 1], [1, 2]], "elements 1 and 1 is 2"),
        ([[1, 0], [0, 1]], "0 is not the identity"),
        ([[0, 1], [1, 1]], "row 1"),
        (NOT_ASSOCIATIVE, "Not associative"),
        (swapped(Symmetric(3).cayley_table), "row|associative"),
    ],
    ids=["shape", "dtype", "closure", "identity", "inverse", "associativity", "mutant"],
)
def test_tables_of_no_group_are_refused_by_name(table, message):
    with pytest.raises(ValueError, match=message):
        FiniteGroup(table)


def test_every_swap_in_a_table_is_noticed():
    table = Dihedral(4).cayley_table
    rng = np.random.default_rng(0)
    for _ in range(50):
        mutant = table.copy()
        row, (i, j) = rng.integers(1, 8), rng.choice(np.arange(1, 8), 2, replace=False)
        mutant[row, [i, j]] = mutant[row, [j, i]]
        with pytest.raises(ValueError, match="column|associative"):
            FiniteGroup(mutant)


def test_elements_out_of_range_are_refused():
    with pytest.raises(ValueError, match="elements 0 to 5; got 6"):
        Dihedral(3).right_translation(6)


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "4"])
def test_orders_that_are_no_whole_number_are_refused(n):
    with pytest.raises(ValueError, match="whole number"):
        Cyclic(n)


def test_names_for_people():
    group = Dihedral(32)
    assert group.order == 64
    assert [group.element_name(i) for i in (0, 1, 3, 32, 35)] == ["e", "ρ", "ρ^3", "σ", "ρ^3 σ"]
    assert group.describe_element(35) == "turn 33.75°, mirrored"
    assert group.order_of(1) == 32


@pytest.mark.parametrize(
    ("text", "group"),
    [("dihedral:16", Dihedral(16)), ("Cyclic:4", Cyclic(4)), ("trivial", Trivial())],
)
def test_groups_by_name(text, group):
    assert parse_group(text) == group


@pytest.mark.parametrize(
    "text", ["dihedral", "dihedral:0", "dihedral:x", "klein:4", "trivial:2", ""]
)
def test_unknown_group_names_say_what_is_expected(text):
    with pytest.raises(ValueError, match="'dihedral:N'"):
        parse_group(text)


@given(groups_with_elements(0))
def test_groups_survive_json(case):
    group, _ = case
    description = json.loads(json.dumps(group_to_json(group)))
    assert group_from_json(description) == group
    assert order_from_json(description) == group.order


def test_json_of_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match="Unknown family of groups: 'Monster'"):
        group_from_json({"family": "Monster", "arguments": []})


trivial = {"family": "Trivial", "arguments": []}
deep = trivial
for _ in range(500):
    deep = {"family": "DirectProduct", "arguments": [deep, trivial]}
thousand = {"family": "Cyclic", "arguments": [1000]}


@pytest.mark.parametrize(
    ("description", "says"),
    [
        (None, "described by its 'family' and its 'arguments'; got None"),
        ({"family": "Cyclic"}, "'arguments'; got an object of 1 entries"),
        ({**trivial, "order": 1}, "an object of 3 entries"),
        ({"family": ["Cyclic"], "arguments": [3]}, "Unknown family"),
        ({"family": "group_from_json", "arguments": [trivial]}, "Unknown family"),
        ({"family": "PlanarGroup", "arguments": [3, True]}, "Unknown family"),
        ({"family": "Trivial", "arguments": [1]}, "no group Trivial"),
        ({"family": "Cyclic", "arguments": {"n": 3}}, "no group Cyclic"),
        ({"family": "Cyclic", "arguments": [True]}, "no group Cyclic"),
        ({"family": "Cyclic", "arguments": [3.0]}, "no group Cyclic"),
        ({"family": "Cyclic", "arguments": [0]}, "no group Cyclic"),
        ({"family": "Cyclic", "arguments": [10**5]}, "at most 1024 elements"),
        ({"family": "Dihedral", "arguments": [10**5000]}, "at most 1024 elements"),
        ({"family": "Symmetric", "arguments": [10**6]}, "no group Symmetric"),
        ({"family": "RotationGroup", "arguments": ["cube"]}, "no group RotationGroup"),
        ({"family": "FiniteGroup", "arguments": [[]]}, "no group FiniteGroup"),
        ({"family": "FiniteGroup", "arguments": [[[0, 1], [1]]]}, "no group FiniteGroup"),
        ({"family": "FiniteGroup", "arguments": [[[0, 1], [1, 2]]]}, "no group FiniteGroup"),
        ({"family": "FiniteGroup", "arguments": [[[0, 1], [1, 1]]]}, "No inverses"),
        ({"family": "DirectProduct", "arguments": [thousand, thousand]}, "at most 1024"),
        ({"family": "DirectProduct", "arguments": [1, 2]}, "got 1"),
        ({"family": "SemidirectProduct", "arguments": [trivial, trivial, [[1]]]}, "no group"),
        (deep, "nested more than 32 deep"),
    ],
    ids=range(23),
)
def test_senseless_json_is_refused_before_anything_is_built(description, says):
    with pytest.raises(ValueError, match=says):
        group_from_json(description)


@pytest.mark.parametrize("text", ["cyclic:1025", "dihedral:513", "cyclic:00" + "9" * 5000])
def test_groups_that_are_too_large_are_not_built(text):
    with pytest.raises(ValueError, match=r"more than 1024 elements: (cyclic:1024|dihedral:512)"):
        parse_group(text)
    assert parse_group("dihedral:0512").order == 1024
