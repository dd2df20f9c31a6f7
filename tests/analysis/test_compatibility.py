"""Which features can be called by one symmetry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral
from sklearn_groupcross.analysis._compatibility import TOLERANCE, Symmetries, symmetry_type
from sklearn_groupcross.analysis._spectra import self_profiles
from sklearn_groupcross.groups import Quaternion, find_stabilizers
from sklearn_groupcross.testing import groups
from tests.analysis.planted import compare, moved_copy, plant, units

GROUP = Dihedral(8)


def symmetries_of(blocks, group):
    profiles = self_profiles(units(blocks), group)
    return Symmetries(group, profiles, find_stabilizers(group, profiles))


@given(groups(max_order=12), st.integers(0, 50))
def test_poses_do_not_matter_and_the_order_of_a_pair_neither(group, seed):
    _, blocks = plant(group, 3, seed=seed, noise=0.6)
    symmetries = symmetries_of(blocks, group)
    compatible = symmetries.compatible()
    np.testing.assert_array_equal(compatible, compatible.T)
    assert compatible.diagonal().all()
    moved, order, _ = moved_copy(blocks, group, np.random.default_rng(seed))
    every = np.arange(len(blocks))
    before = symmetries.differences(every[:, None], every)[np.ix_(order, order)]
    after = symmetries_of(moved, group).differences(every[:, None], every)
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_mirrors_are_of_one_type_whatever_their_axis_and_half_turns_of_another():
    on_a_corner, on_a_side, half_turn = (GROUP.generated_subgroup([g]) for g in (8, 9, 4))
    assert on_a_corner.class_name != on_a_side.class_name
    assert symmetry_type(on_a_corner) == symmetry_type(on_a_side) != symmetry_type(half_turn)
    group = Quaternion()
    by_type = {symmetry_type(s): s.class_name for s in group.subgroups()}
    assert len(by_type) == len(group.subgroup_classes())


@pytest.mark.parametrize(("share", "apart"), [(0.9, False), (0.75, False), (0.4, True)])
def test_what_a_feature_lacks_counts_by_how_much(share, apart):
    """A feature that the half turn fixes, and one that it fixes in part."""
    half_turn = GROUP.generated_subgroup([4])
    options = {"n_families": 1, "closed": False, "stabilizers": half_turn, "noise": 0.0}
    _, whole = plant(GROUP, **options)
    _, part = plant(GROUP, **options, energies=share)
    symmetries = symmetries_of(np.concatenate([whole, part]), GROUP)
    difference = symmetries.differences(np.array([0]), np.array([1]))[0]
    # with E = (1 + p) / 2 the smaller of energy and minimum is p
    assert difference == pytest.approx(1 - (2 * share - 1), abs=1e-4)
    assert (difference > TOLERANCE) == (apart or share == 0.75)


def test_lines_and_round_features_are_not_compatible_however_near():
    line = GROUP.generated_subgroup([4, 8])
    _, lines = plant(GROUP, 1, closed=False, stabilizers=line, noise=0.0)
    everything = GROUP.generated_subgroup(range(16))
    _, rounds = plant(GROUP, 1, closed=False, stabilizers=everything, noise=0.0, seed=1)
    lines, rounds = units(lines), units(rounds)
    mixed = units(lines + 4.0 * rounds)  # cosine with a round feature 0.97
    blocks = np.concatenate([mixed, rounds, lines])
    _, distances, _ = compare(blocks, GROUP)
    compatible = symmetries_of(blocks, GROUP).compatible()
    assert distances[0, 1] < 0.2
    assert compatible[0, 1]  # round enough
    assert not compatible[0, 2]
    assert not compatible[1, 2]
