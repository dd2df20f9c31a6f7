"""Families by all pairs, and by neighbours alone."""

import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_groupcross import Dihedral, make_orbits
from sklearn_groupcross.analysis import found_again, name_kinds
from sklearn_groupcross.analysis._compatibility import Symmetries
from sklearn_groupcross.analysis._grouping import (
    compare_features,
    describe_grouping,
    group_features,
)
from sklearn_groupcross.analysis._similarity import best_alignment, unit_atoms
from sklearn_groupcross.analysis._spectra import self_profiles
from sklearn_groupcross.groups import find_stabilizers

GROUP, CPU = Dihedral(4), torch.device("cpu")
OPTIONS = {
    "method": "auto",
    "family_distance": 0.4,
    "max_features_in_full": 100,
    "device": CPU,
    "random_state": 0,
    "progress": False,
}


@pytest.fixture(scope="module")
def planted():
    return make_orbits(10, group=GROUP, n_channels=24, n_families=3, random_state=3)


def units(components):
    return unit_atoms(components.reshape(len(components), -1), GROUP.order)


def compared(components, others=None, **options):
    return compare_features(units(components), others, GROUP, **{**OPTIONS, **options})


def grouped(components, **options):
    atoms = units(components)
    profiles = self_profiles(atoms, GROUP)
    symmetries = Symmetries(GROUP, profiles, find_stabilizers(GROUP, profiles))
    comparison = compared(components, **options)
    return group_features(atoms, comparison, symmetries, method="auto", device=CPU)


def described(grouping, components):
    atoms = units(components)
    profiles = self_profiles(atoms, GROUP)
    names = find_stabilizers(GROUP, profiles), name_kinds(profiles, GROUP)
    return describe_grouping(grouping, atoms, GROUP, *names, CPU)


def test_planted_families_are_found_with_their_distances(planted):
    grouping, comparison = grouped(planted.components), compared(planted.components)
    similarity, alignment = best_alignment(units(planted.components), None, GROUP, CPU)
    np.testing.assert_array_equal(grouping.neighbors, 1 - similarity)
    np.testing.assert_array_equal(comparison.distances, 1 - similarity)
    np.testing.assert_array_equal(comparison.alignment, alignment)
    assert np.isnan(comparison.found_again).all()
    families, table = described(grouping, planted.components)
    assert len(families) == len(table) == len(grouping.kin)
    for family, kin in zip(families, grouping.kin, strict=True):
        assert len(set(planted.families[list(family.members)])) == 1
        assert family.members == tuple(kin.members.tolist())
        assert family.medoid == kin.medoid
        medoid = planted.components[kin.medoid]
        for member, h in zip(kin.members, kin.carriers, strict=True):
            turned = medoid[GROUP.right_translation(int(h))]
            np.testing.assert_allclose(planted.components[member], turned, atol=1e-5)


def test_without_all_pairs_the_graph_finds_the_same(planted):
    full, near = grouped(planted.components), grouped(planted.components, max_features_in_full=3)
    assert sparse.issparse(near.neighbors)
    assert compared(planted.components, max_features_in_full=3).distances is None
    np.testing.assert_array_equal(near.labels, full.labels)
    for one, other in zip(near.kin, full.kin, strict=True):
        assert one.members.tolist() == other.members.tolist()
    one, other = (described(grouping, planted.components) for grouping in (near, full))
    assert one[1]["coverage"].tolist() == other[1]["coverage"].tolist()


@pytest.mark.parametrize("max_features_in_full", [100, 3])
def test_near_features_of_other_symmetry_stay_apart(max_features_in_full):
    """A feature that the half turn fixes, and one near it that it does not fix."""
    half_turn = GROUP.generated_subgroup([2])
    options = {"group": GROUP, "n_channels": 24, "n_families": 1, "closed": False}
    symmetric = make_orbits(2, stabilizers=half_turn, n_active=1, random_state=0, **options)
    other = make_orbits(2, stabilizers="trivial", n_active=1, random_state=1, **options)
    near = symmetric.components + 0.8 * other.components
    components = np.concatenate([symmetric.components, near])
    assert 1 - grouped(components).neighbors[0, 1] > 0.7
    grouping = grouped(components, max_features_in_full=max_features_in_full)
    assert (grouping.labels == -1).all()


def test_others_are_matched_in_the_coordinates_of_the_dictionary(planted):
    components = planted.components.astype(np.float64)
    components[2] = 0
    others = [components[::-1].copy(), components[:9].astype(np.float32)]
    others[0][:3] = 0
    found = compared(components, others).found_again
    np.testing.assert_array_equal(found, found_again(components, others, group=GROUP))
    assert {0.5, 1.0} <= set(found[~np.isnan(found)])
    assert np.flatnonzero(np.isnan(found)).tolist() == [2]


@pytest.mark.parametrize("n_alive", [0, 1])
def test_nothing_to_compare(planted, n_alive):
    components = planted.components.copy()
    components[n_alive:] = 0
    grouping = grouped(components, max_features_in_full=3, family_distance="auto")
    assert (grouping.labels == -1).all()
    assert grouping.kin == []


def test_a_method_of_all_pairs_is_refused_where_they_are_too_many(planted):
    with pytest.raises(ValueError, match="'average' needs the distances of all pairs of"):
        compared(planted.components, method="average", max_features_in_full=3)
