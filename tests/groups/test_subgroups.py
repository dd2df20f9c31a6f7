from __future__ import annotations

import numpy as np
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
    find_stabilizers,
)
from tests.groups.strategies import (
    brute_force_subgroups,
    groups,
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


@given(groups)
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


@given(groups, st.data())
def test_a_symmetrised_feature_has_the_stabilizer_it_was_given(group, data):
    subgroup = data.draw(st.sampled_from(group.subgroups()))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**20)))
    seed = rng.standard_normal((group.order, 40))
    atom = np.mean([seed[group.right_translation(h)] for h in subgroup.elements], axis=0)
    shift = data.draw(st.integers(0, group.order - 1))
    atom = atom[group.right_translation(shift)]
    profile = [
        (atom * atom[group.right_translation(h)]).sum() / (atom**2).sum()
        for h in range(group.order)
    ]
    stabilizer = group.stabilizer(profile, threshold=0.8)
    # translating an atom conjugates what fixes it
    assert stabilizer.subgroup.elements == subgroup.conjugate(shift).elements
    assert stabilizer.energy == pytest.approx(1.0)
    assert stabilizer.minimum == pytest.approx(1.0)


def test_energy_is_the_share_that_the_subgroup_fixes():
    group = Dihedral(4)
    atom = np.random.default_rng(0).standard_normal((group.order, 5))
    profile = [
        (atom * atom[group.right_translation(h)]).sum() / (atom**2).sum()
        for h in range(group.order)
    ]
    for subgroup in group.subgroups():
        fixed = np.mean([atom[group.right_translation(h)] for h in subgroup.elements], axis=0)
        share = (fixed**2).sum() / (atom**2).sum()
        assert np.mean(np.array(profile)[list(subgroup.elements)]) == pytest.approx(share)


def test_the_larger_energy_wins_among_equally_large_subgroups_and_the_other_runs_up():
    group = Dihedral(4)
    profile = np.zeros(8)
    profile[[0, 4, 6]] = 1.0, 0.85, 0.9
    stabilizer = group.stabilizer(profile)
    assert stabilizer.subgroup.elements == (0, 6)
    assert stabilizer.runner_up is not None
    assert stabilizer.runner_up.elements == (0, 4)
    assert stabilizer.margin == pytest.approx(0.1)


@pytest.mark.parametrize("threshold", [0, 1, -1, 2, np.nan])
def test_thresholds_outside_the_unit_interval_are_refused(threshold):
    with pytest.raises(ValueError, match=r"\(0, 1\)"):
        find_stabilizers(Cyclic(2), [[1, 1]], threshold)


def test_profiles_of_another_group_are_refused():
    with pytest.raises(ValueError, match=r"shape \(n_features, 8\)"):
        find_stabilizers(Dihedral(4), np.ones((3, 4)))


@given(groups, st.data())
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
        (Cyclic(3) * Dihedral(4), [8], "C3: (turn 120°; identity)"),
        (Cyclic(3) * Dihedral(4), [2], "C2: (identity; turn 180°)"),
        (Cyclic(4) * Cyclic(4), [4], "C4: (turn 90°; identity)"),
        (Cyclic(4) * Cyclic(4), [1], "C4: (identity; turn 90°)"),
    ],
)
def test_names_where_the_plane_is_not_turned(group, generators, name):
    assert group.generated_subgroup(generators).name == name


def test_only_what_is_allowed_is_named():
    group = Dihedral(4)
    allowed = np.ones((2, len(group.subgroups())), dtype=bool)
    allowed[1, -1] = False
    both = find_stabilizers(group, np.ones((2, 8)), allowed=allowed)
    assert [stabilizer.subgroup.order for stabilizer in both] == [8, 4]
    assert both[1].class_name == both[1].subgroup.class_name
    none = find_stabilizers(group, np.ones((2, 8)), allowed=np.zeros_like(allowed))
    assert [stabilizer.name for stabilizer in none] == ["C1: none"] * 2
    with pytest.raises(ValueError, match=r"the 10 subgroups .* got shape \(2, 8\)"):
        find_stabilizers(group, np.ones((2, 8)), allowed=np.ones((2, 8)))
