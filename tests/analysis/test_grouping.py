"""Families by all pairs, and by neighbours alone."""

import numpy as np
import pytest
import torch

from sklearn_groupcross import Dihedral, make_orbits
from sklearn_groupcross.analysis import name_kinds
from sklearn_groupcross.analysis._grouping import group_features
from sklearn_groupcross.analysis._similarity import best_alignment, self_profiles, unit_atoms
from sklearn_groupcross.groups import find_stabilizers

GROUP = Dihedral(4)
OPTIONS = {
    "method": "auto",
    "family_distance": 0.4,
    "max_features_in_full": 100,
    "device": torch.device("cpu"),
    "progress": False,
}


@pytest.fixture(scope="module")
def planted():
    return make_orbits(10, group=GROUP, n_channels=24, n_families=3, random_state=3)


def grouped(components, **options):
    atoms = unit_atoms(components.reshape(len(components), -1), GROUP.order)
    profiles = self_profiles(atoms, GROUP)
    named = find_stabilizers(GROUP, profiles), name_kinds(profiles, GROUP)
    return group_features(atoms, GROUP, *named, **{**OPTIONS, **options})


def test_planted_families_are_found_with_their_distances(planted):
    grouping = grouped(planted.components)
    atoms = unit_atoms(planted.components.reshape(len(planted.components), -1), GROUP.order)
    similarity, alignment = best_alignment(atoms, None, GROUP, torch.device("cpu"))
    np.testing.assert_array_equal(grouping.distances, 1 - similarity)
    np.testing.assert_array_equal(grouping.alignment, alignment)
    assert len(grouping.families) == len(grouping.table)
    for family in grouping.families:
        assert len(set(planted.families[list(family.members)])) == 1


def test_without_all_pairs_the_graph_finds_the_same(planted):
    full, near = grouped(planted.components), grouped(planted.components, max_features_in_full=3)
    assert near.distances is None
    assert near.alignment is None
    np.testing.assert_array_equal(near.labels, full.labels)


@pytest.mark.parametrize("n_alive", [0, 1])
def test_nothing_to_compare(planted, n_alive):
    components = planted.components.copy()
    components[n_alive:] = 0
    grouping = grouped(components, max_features_in_full=3)
    assert (grouping.labels == -1).all()
    assert grouping.families == []


def test_a_method_of_all_pairs_is_refused_where_they_are_too_many(planted):
    with pytest.raises(ValueError, match="'average' needs the distances of all pairs of"):
        grouped(planted.components, method="average", max_features_in_full=3)
