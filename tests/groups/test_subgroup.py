from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    Quaternion,
    RotationGroup,
    Symmetric,
)
from tests.groups.strategies import (
    GROUPS,
    brute_force_subgroups,
)


@pytest.mark.parametrize(
    "group",
    [Cyclic(12), Dihedral(4), Dihedral(6), Symmetric(3), Alternating(4), Quaternion()],
    ids=repr,
)
def test_all_subgroups_are_found(group):
    assert {s.elements for s in group.subgroups()} == brute_force_subgroups(group)


@pytest.mark.parametrize("n", [5, 8, 12, 16, 32])
def test_number_of_subgroups_of_a_dihedral_group_is_the_known_formula(n):
    divisors = [d for d in range(1, n + 1) if n % d == 0]
    assert len(Dihedral(n).subgroups()) == len(divisors) + sum(divisors)


@given(GROUPS)
def test_lagrange_and_generators(group):
    for subgroup in group.subgroups():
        assert group.order % subgroup.order == 0
        assert group.generated_subgroup(subgroup.generators).elements == subgroup.elements


def test_large_groups_are_refused():
    with pytest.raises(ValueError, match="at most 128 elements; this one has 130"):
        Cyclic(130).subgroups()


@pytest.mark.parametrize(
    ("generators", "name"),
    [
        ([], "C1: none"),
        ([8], "C2: half turn"),
        ([4], "C4: quarter turn"),
        ([2], "C8: eighth of a turn"),
        ([1], "C16: turn 22.5°"),
        ([16], "D1: mirror (axis 90°)"),
        ([24], "D1: mirror (axis 0°)"),
        ([20], "D1: mirror (axis 135°)"),
        ([8, 16], "D2: half turn and mirrors (axis 0°, 90°)"),
        ([1, 16], "D16: every turn and mirror"),
    ],
)
def test_subgroups_have_names_for_people(generators, name):
    assert Dihedral(16).generated_subgroup(generators).name == name


@given(GROUPS, st.data())
def test_class_names_are_shared_by_conjugates_and_by_no_others(group, data):
    first = data.draw(st.sampled_from(group.subgroups()))
    second = data.draw(st.sampled_from(group.subgroups()))
    assert first.conjugate(data.draw(st.integers(0, group.order - 1))).class_name == (
        first.class_name
    )
    are_conjugate = any(first.conjugate(g) == second for g in range(group.order))
    assert (first.class_name == second.class_name) == are_conjugate
    assert (second in first.conjugacy_class) == are_conjugate
    assert sum(len(members) for members in group.subgroup_classes()) == len(group.subgroups())


@pytest.mark.parametrize(("n", "expected"), [(5, 4), (6, 10), (12, 16)])
def test_mirrors_of_an_even_polygon_are_of_two_classes(n, expected):
    group = Dihedral(n)
    assert len(group.subgroup_classes()) == expected
    mirrors = {group.generated_subgroup([g]).class_name for g in range(n, 2 * n)}
    assert len(mirrors) == 2 - n % 2


@pytest.mark.parametrize(
    "group",
    [
        Cyclic(5),
        Dihedral(4),
        Symmetric(4),
        Alternating(4),
        Quaternion(),
        RotationGroup("octahedral"),
        Cyclic(3) * Dihedral(4),
    ],
    ids=repr,
)
def test_nothing_and_everything_have_names_in_every_family(group):
    assert group.subgroups()[0].name == group.subgroups()[0].class_name == "C1: none"
    assert "every" in group.subgroups()[-1].name
    assert not any("every" in subgroup.name for subgroup in group.subgroups()[:-1])
    assert len({subgroup.name for subgroup in group.subgroups()}) == len(group.subgroups())


@pytest.mark.parametrize(
    ("group", "generators", "name"),
    [
        (Symmetric(4), [1], "C2: (2 3)"),
        (RotationGroup("octahedral"), [1], "C4: turn 90° about (1, 0, 0)"),
        (Cyclic(3) * Dihedral(4), [8], "C3: turn 120°"),
        (Cyclic(3) * Dihedral(4), [2], "C2: turn 180°"),
        (Cyclic(4) * Cyclic(4), [4], "C4: (turn 90°; identity)"),
        (Cyclic(4) * Cyclic(4), [1], "C4: (identity; turn 90°)"),
    ],
)
def test_names_where_the_plane_is_not_turned(group, generators, name):
    assert group.generated_subgroup(generators).name == name


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
