from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from sklearn_groupcross import Dihedral
from sklearn_groupcross.analysis import cluster_families
from sklearn_groupcross.groups import RotationGroup
from tests.analysis.planted import compare, plant

METHODS = ["average", "hdbscan", "graph"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("group", [Dihedral(6), RotationGroup("tetrahedral")], ids=repr)
def test_planted_families_are_found(group, method):
    planted, blocks = plant(group, 5, seed=1, stabilizers="trivial")
    blocks = np.concatenate([blocks, np.zeros_like(blocks[:2])])
    _, distances, _ = compare(blocks, group)
    before = distances.copy()
    labels = cluster_families(distances, blocks.any(axis=(1, 2)), method=method)
    np.testing.assert_array_equal(distances, before)
    assert adjusted_rand_score(planted.families, labels[:-2]) == 1.0
    assert (labels[-2:] == -1).all()
    # of one size: numbered by their smallest member
    assert labels[:-2].tolist() == planted.families.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_features_alone_stay_alone(method):
    group = Dihedral(4)
    _, family = plant(group, 2, stabilizers="trivial")
    strangers = np.random.default_rng(1).standard_normal((20, *family.shape[1:]))
    _, distances, _ = compare(np.concatenate([family, strangers]), group)
    labels = cluster_families(distances, np.ones(36, dtype=bool), method=method)
    assert labels[:16].tolist() == [0] * 8 + [1] * 8
    assert (labels[16:] == -1).all()


def test_sizes_fall_and_small_families_are_alone():
    distances = np.ones((9, 9)) - np.eye(9)
    for members in ([3, 4], [0, 8], [1, 2, 5, 6]):
        distances[np.ix_(members, members)] = 0.1
    np.fill_diagonal(distances, 0)
    alive = np.ones(9, dtype=bool)
    for method in ("average", "graph"):
        labels = cluster_families(distances, alive, method=method)
        assert labels.tolist() == [1, 0, 0, 2, 2, 0, 0, -1, 1]
        labels = cluster_families(distances, alive, method=method, min_size=3)
        assert labels.tolist() == [-1, 0, 0, -1, -1, 0, 0, -1, -1]


def test_chains_join_families_in_the_graph_alone():
    positions = np.concatenate([np.zeros(6), np.linspace(0.1, 0.9, 9), np.ones(6)])
    distances = np.abs(positions[:, None] - positions)
    alive = np.ones(21, dtype=bool)
    assert (cluster_families(distances, alive, 0.4, method="graph") == 0).all()
    average = cluster_families(distances, alive, 0.4)
    assert average[0] != average[-1]


def test_dead_features_are_no_bridges():
    distances = np.array([[0, 2, 1], [2, 0, 1], [1, 1, 0.0]])
    labels = cluster_families(distances, np.array([True, True, False]), 1.5, method="graph")
    assert labels.tolist() == [-1, -1, -1]


def test_bad_input_is_refused():
    distances, alive = np.zeros((3, 3)), np.ones(3, dtype=bool)
    with pytest.raises(ValueError, match="one of 'average', 'hdbscan', 'graph'; got 'ward'"):
        cluster_families(distances, alive, method="ward")
    with pytest.raises(ValueError, match="min_size >= 2; got 1"):
        cluster_families(distances, alive, min_size=1)
    with pytest.raises(ValueError, match="'average' needs all distances"):
        cluster_families(sparse.csr_array(distances), alive)


@pytest.mark.parametrize("method", METHODS)
def test_no_family_holds_a_pair_that_may_not_stand_in_one(method):
    distances = np.where(np.eye(6, dtype=bool), 0.0, 0.1)
    distances[:3, 3:] = distances[3:, :3] = 0.2
    compatible = np.ones((6, 6), dtype=bool)
    compatible[:3, 3:] = compatible[3:, :3] = False
    alive = np.ones(6, dtype=bool)
    one = cluster_families(distances, alive, method="average")
    assert (one == 0).all()
    labels = cluster_families(distances, alive, method=method, compatible=compatible)
    assert not any(labels[i] == labels[j] >= 0 for i, j in np.argwhere(~compatible))
    if method != "hdbscan":
        assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(ValueError, match=r"every pair of 6 features .* got shape \(2, 2\)"):
        cluster_families(distances, alive, method=method, compatible=np.ones((2, 2), dtype=bool))


@given(st.integers(0, 100))
def test_average_linkage_keeps_them_apart_at_any_threshold(seed):
    rng = np.random.default_rng(seed)
    distances = rng.uniform(0, 1, (12, 12))
    distances = (distances + distances.T) / 2
    compatible = rng.random((12, 12)) < 0.8
    compatible = compatible & compatible.T | np.eye(12, dtype=bool)
    labels = cluster_families(distances, np.ones(12, dtype=bool), 2.0, compatible=compatible)
    same = (labels[:, None] == labels) & (labels >= 0)
    assert compatible[same].all()


@pytest.mark.parametrize("seed", range(10))
def test_averages_are_merged_as_scikit_learn_merges_them(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    # in steps, so that some averages lie at the threshold
    upper = np.triu(rng.integers(0, 9, (n, n)) / 8, 1).astype(np.float32)
    distances, alive = upper + upper.T, np.ones(n, dtype=bool)
    for threshold in (0.25, 0.5, 0.8):
        expected = AgglomerativeClustering(
            n_clusters=None, metric="precomputed", linkage="average", distance_threshold=threshold
        ).fit_predict(distances)
        labels = cluster_families(distances, alive, threshold)
        together = labels[:, None] == labels
        together[labels < 0] = np.eye(n, dtype=bool)[labels < 0]
        np.testing.assert_array_equal(together, expected[:, None] == expected)
