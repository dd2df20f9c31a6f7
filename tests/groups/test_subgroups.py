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
