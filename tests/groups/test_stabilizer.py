from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.groups import (
    Cyclic,
    Dihedral,
    find_stabilizers,
)
from tests.groups.strategies import GROUPS


@given(GROUPS, st.data())
def test_a_symmetrized_feature_has_the_stabilizer_it_was_given(group, data):
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
