"""One name for a family."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from sklearn_groupcross import Dihedral, SymmetryAnalyzer
from sklearn_groupcross.analysis import cluster_families
from sklearn_groupcross.analysis._family_names import Kin, hand_out, pooled
from sklearn_groupcross.analysis._spectra import self_profiles
from sklearn_groupcross.groups import find_stabilizers
from sklearn_groupcross.testing import groups
from tests.analysis.planted import compare, plant, units


@given(groups(max_order=16), st.integers(0, 50))
def test_the_mean_profile_of_translates_is_that_of_each(group, seed):
    rng = np.random.default_rng(seed)
    atom = units(rng.standard_normal((1, group.order, 6)))
    carriers = rng.integers(0, group.order, 5)
    atoms = np.concatenate([atom, *(atom[:, group.right_translation(h)] for h in carriers)])
    profiles = self_profiles(atoms, group)
    kin = Kin(np.arange(6), 0, np.concatenate([[group.identity], carriers]))
    np.testing.assert_allclose(pooled(profiles, [kin], group)[0], profiles[0], atol=1e-6)
    stabilizers = find_stabilizers(group, profiles)
    shared = hand_out([kin], [stabilizers[0]], stabilizers)
    assert [s.subgroup for s in shared] == [s.subgroup for s in stabilizers]


def test_members_without_profiles_do_not_count():
    group = Dihedral(3)
    profiles = np.random.default_rng(0).uniform(size=(2, 3, 6))
    profiles[:, 1] = np.nan
    kin = [Kin(np.array([0, 1]), 0, np.array([0, 2])), Kin(np.array([1]), 1, np.array([0]))]
    means = pooled(profiles, kin, group)
    np.testing.assert_allclose(means[:, 0], profiles[:, 0])
    assert np.isnan(means[:, 1]).all()


@pytest.fixture(scope="module")
def near_the_threshold():
    """Families whose half turn fixes 0.9 of each: by itself, each is named on one side or other."""
    group = Dihedral(8)
    planted, blocks = plant(
        group, 6, seed=2, noise=0.25, energies=0.95, stabilizers=group.generated_subgroup([4])
    )
    rng = np.random.default_rng(0)
    sizes = rng.uniform(0.0, 0.5, size=(len(blocks), 1, 1)) / np.sqrt(blocks[0].size)
    return planted, blocks + sizes * rng.standard_normal(blocks.shape)


def test_members_have_one_name_and_families_stay_whole(near_the_threshold):
    planted, blocks = near_the_threshold
    group = planted.group
    analysis = SymmetryAnalyzer(group=group).fit(blocks.reshape(len(blocks), -1))
    assert adjusted_rand_score(planted.families, analysis.labels_) == 1.0
    own = [{analysis.own_stabilizers_[m].class_name for m in f.members} for f in analysis.families_]
    assert sum(len(names) > 1 for names in own) >= 4  # what is planted does put the rule to a test
    for family in analysis.families_:
        names = {analysis.stabilizers_[m].class_name for m in family.members}
        assert len(names) == 1
        for member in family.members:
            mirrored = analysis.stabilizers_[member].subgroup
            assert analysis.profiles_[member, list(mirrored.elements)].min() > 0.5
    # a family for every name would not have kept them whole
    _, distances, _ = compare(blocks, group)
    called = np.array([s.class_name for s in analysis.own_stabilizers_])
    alike = called[:, None] == called
    split = cluster_families(distances, np.ones(len(blocks), bool), compatible=alike)
    assert adjusted_rand_score(planted.families, split) < 0.8


def test_the_table_says_what_each_has_by_itself(near_the_threshold):
    planted, blocks = near_the_threshold
    table = (
        SymmetryAnalyzer(group=planted.group).fit(blocks.reshape(len(blocks), -1)).features_table_
    )
    assert table["own_symmetry"].nunique() > 1
    assert (table["symmetry"] != table["own_symmetry"]).any()
    assert {"sub_family", "own_symmetry"} < set(table)
