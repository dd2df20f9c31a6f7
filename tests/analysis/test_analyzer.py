from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import squareform
from sklearn.base import clone
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.testing import elements, groups

GROUP = Dihedral(4)


@pytest.fixture(scope="module")
def planted():
    return make_orbits(5, group=GROUP, n_families=6, random_state=5)


@pytest.fixture(scope="module")
def atoms(planted):
    return planted.components.reshape(len(planted.components), -1)


@pytest.fixture(scope="module")
def analysis(atoms):
    return SymmetryAnalyzer(group=GROUP).fit(atoms)


def test_planted_families_stabilizers_and_poses_are_found(analysis, planted):
    found = np.where(analysis.labels_ < 0, 100 + np.arange(len(analysis.labels_)), analysis.labels_)
    assert adjusted_rand_score(planted.families, found) == 1.0
    for stabilizer, truth in zip(analysis.stabilizers_, planted.stabilizers, strict=True):
        assert stabilizer.subgroup.elements == truth.elements
    blocks = planted.components
    for family in analysis.families_:
        for member, pose in zip(family.members, family.poses, strict=True):
            moved = blocks[family.medoid][GROUP.right_translation(pose)]
            np.testing.assert_allclose(moved, blocks[member], atol=1e-5)
        assert family.poses[family.members.index(family.medoid)] in (
            analysis.stabilizers_[family.medoid].subgroup.elements
        )


def test_poses_are_counted_modulo_the_stabilizer():
    """A noisy atom that a quarter turn fixes has |G| / 4 poses, whatever the noise prefers."""
    group = Dihedral(8)
    rng = np.random.default_rng(0)
    subgroup = group.generated_subgroup([2])
    seed = rng.standard_normal((group.order, 32))
    atom = np.mean([seed[group.right_translation(h)] for h in subgroup.elements], axis=0)
    translates = np.stack([atom[group.right_translation(h)] for h in range(group.order)])
    noisy = translates + 0.1 * rng.standard_normal(translates.shape)
    analysis = SymmetryAnalyzer(group=group).fit(noisy)
    (family,) = analysis.families_
    assert len(set(family.poses)) == group.order // 4


def test_a_fitted_crosscoder_brings_its_group():
    data = make_orbits(200, group=GROUP, n_channels=8, n_families=2, random_state=0)
    crosscoder = GroupCrosscoder(group=GROUP, n_features=6, max_epochs=2).fit(data.orbits)
    analysis = SymmetryAnalyzer().fit(crosscoder)
    assert analysis.group_ == GROUP
    np.testing.assert_array_equal(analysis.components_, crosscoder.components_)
    with pytest.raises(ValueError, match=r"over Dihedral\(4\); the group asked for is Cyclic\(8\)"):
        SymmetryAnalyzer(group=Cyclic(8)).fit(crosscoder)


def test_distances_serve_as_precomputed(analysis):
    distances = analysis.distances_
    np.testing.assert_array_equal(distances, distances.T)
    assert (np.diag(distances) == 0).all()
    assert distances.min() >= 0
    assert distances.max() <= 2
    labels = AgglomerativeClustering(3, metric="precomputed", linkage="average").fit_predict(
        distances
    )
    silhouette_score(distances, labels, metric="precomputed")
    HDBSCAN(metric="precomputed", min_cluster_size=2, copy=True).fit(distances)


def test_permuting_and_scaling_features_permutes_the_results(analysis, atoms):
    order = np.random.default_rng(0).permutation(len(atoms))
    other = SymmetryAnalyzer(group=GROUP).fit(atoms[order] * 7.0)
    np.testing.assert_allclose(
        other.distances_, analysis.distances_[np.ix_(order, order)], atol=1e-5
    )
    assert [s.name for s in other.stabilizers_] == [analysis.stabilizers_[i].name for i in order]
    # every feature of a family shares its fate: the same partition, maybe numbered otherwise
    assert adjusted_rand_score(other.labels_, analysis.labels_[order]) == 1.0


@given(group=groups(max_order=12), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_translating_atoms_conjugates_stabilizers_and_changes_nothing_else(group, seed, data):
    planted = make_orbits(1, group=group, n_active=1, n_channels=24, random_state=seed)
    blocks = planted.components
    moves = data.draw(st.lists(elements(group), min_size=len(blocks), max_size=len(blocks)))
    moved = np.stack([b[group.right_translation(h)] for b, h in zip(blocks, moves, strict=True)])
    before, after = (SymmetryAnalyzer(group=group).fit(atoms) for atoms in (blocks, moved))
    np.testing.assert_allclose(after.distances_, before.distances_, atol=1e-5)
    np.testing.assert_allclose(after.spectra_, before.spectra_, atol=1e-5)
    np.testing.assert_array_equal(after.labels_, before.labels_)
    for h, old, new in zip(moves, before.stabilizers_, after.stabilizers_, strict=True):
        assert new.class_name == old.class_name
        assert new.subgroup.elements == old.subgroup.conjugate(h).elements


def test_transform_blocks(analysis, planted):
    block = analysis.transform_blocks(3)
    assert block.shape == (8, 8)
    unit = planted.components[3] / np.linalg.norm(planted.components[3], axis=1, keepdims=True)
    np.testing.assert_allclose(block, unit @ unit.T, atol=1e-5)


def test_the_map_is_reproducible_and_keeps_families_together(analysis, atoms):
    embedding = analysis.embedding_
    assert embedding.shape == (len(atoms), 2)
    again = SymmetryAnalyzer(group=GROUP).fit(atoms).embedding_
    np.testing.assert_array_equal(embedding, again)
    gaps = np.linalg.norm(embedding[:, None] - embedding[None], axis=2)
    same = analysis.labels_[:, None] == analysis.labels_[None]
    assert gaps[same & (gaps > 0)].mean() < gaps[~same].mean()


def test_the_table_says_it_all(analysis):
    table = analysis.features_table_
    assert table.index.name == "feature"
    assert (table["symmetry"] == [s.name for s in analysis.stabilizers_]).all()
    assert (table["family"] == analysis.labels_).all()
    family = analysis.families_[0]
    assert table["pose"][family.members[0]] == GROUP.describe_element(family.poses[0])


def test_dead_features_are_set_apart(atoms):
    with_dead = np.vstack([atoms, np.zeros_like(atoms[:2])])
    analysis = SymmetryAnalyzer(group=GROUP).fit(with_dead)
    np.testing.assert_array_equal(np.flatnonzero(analysis.dead_), len(atoms) + np.arange(2))
    assert (analysis.distances_[-2:, :-2] == 1).all()
    assert (analysis.similarity_[-2:, :-2] == 0).all()
    assert analysis.distances_[-2, -1] == 1
    assert (analysis.kinds_[-2:] == "dead").all()
    assert (analysis.labels_[-2:] == -1).all()
    assert np.isfinite(analysis.distances_).all()
    assert np.isfinite(analysis.profiles_).all()


def test_a_dictionary_may_be_dead_altogether():
    analysis = SymmetryAnalyzer(group=GROUP).fit(np.zeros((3, 16)))
    assert analysis.dead_.all()
    np.testing.assert_array_equal(analysis.distances_, 1 - np.eye(3))
    assert (analysis.labels_ == -1).all()
    with pytest.raises(ValueError, match="since 0 of 3 atoms are not zero"):
        analysis.kneighbors_graph(1)


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
@pytest.mark.parametrize("n_dead", [0, 2])
def test_neighbors_are_the_same_with_and_without_all_pairs(atoms, n_dead, mode):
    # noise: exact translates would tie, up to rounding
    noise = np.random.default_rng(0).standard_normal(atoms.shape)
    noisy = atoms / np.linalg.norm(atoms, axis=1, keepdims=True) + noise / 50
    noisy[:n_dead] = 0
    square = SymmetryAnalyzer(group=GROUP).fit(noisy)
    large = SymmetryAnalyzer(group=GROUP, max_features_in_full=len(noisy) - 1).fit(noisy)
    expected, found = (a.kneighbors_graph(4, mode=mode) for a in (square, large))
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.indptr, expected.indptr)
    np.testing.assert_allclose(found.data, expected.data, atol=1e-11)
    assert (np.diff(found.indptr) == np.where(large.dead_, 0, 4)).all()
    for i in range(n_dead, len(noisy)):
        row = slice(*found.indptr[i : i + 2])
        assert i not in found.indices[row]
        others = np.delete(square.distances_[i], [i, *range(n_dead)])
        if mode == "distance":
            np.testing.assert_allclose(found.data[row], np.sort(others)[:4], atol=1e-11)
        else:
            assert (found.data[row] == 1).all()


def test_graph_keeps_zeros_and_serves_as_precomputed(analysis, planted):
    graph = analysis.kneighbors_graph(7)  # no family has more than 8 members
    assert graph.nnz == 7 * len(planted.families)
    assert (graph.data == 0).any()
    labels = DBSCAN(eps=0.4, min_samples=2, metric="precomputed").fit_predict(graph)
    np.testing.assert_array_equal(labels < 0, analysis.labels_ < 0)
    assert adjusted_rand_score(labels, analysis.labels_) == 1.0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_neighbors": 0}, "from 1 to"),
        ({"n_neighbors": 10**6}, "from 1 to"),
        ({"n_neighbors": 1, "mode": "distances"}, "'distance' or 'connectivity'; got 'distances'"),
    ],
)
def test_bad_neighbors_are_refused(analysis, options, match):
    with pytest.raises(ValueError, match=match):
        analysis.kneighbors_graph(**options)


@pytest.mark.parametrize("name", ["distances_", "similarity_", "alignment_", "embedding_"])
def test_without_all_pairs_what_needs_them_says_so(atoms, name):
    analyzer = SymmetryAnalyzer(group=GROUP).fit(atoms)
    analyzer.set_params(max_features_in_full=4).fit(atoms)
    with pytest.raises(AttributeError, match=rf"^{name} needs .*=4\. kneighbors_graph gives"):
        getattr(analyzer, name)
    assert not hasattr(analyzer, name)
    assert len(analyzer.stabilizers_) == len(analyzer.features_table_) == len(atoms)


def test_families_are_found_at_any_size(analysis, atoms):
    large = SymmetryAnalyzer(group=GROUP, max_features_in_full=4).fit(atoms)
    np.testing.assert_array_equal(large.labels_, analysis.labels_)
    for found, expected in zip(large.families_, analysis.families_, strict=True):
        assert set(found.members) == set(expected.members)
        assert found.coverage == expected.coverage == 1.0
    assert large.families_table_["size"].tolist() == analysis.families_table_["size"].tolist()
    for method in ("average", "hdbscan"):
        large.set_params(family_method=method)
        with pytest.raises(ValueError, match=f"family_method='{method}' needs .* all pairs"):
            large.fit(atoms)


@pytest.mark.parametrize("n_live", [0, 1])
def test_with_hardly_a_live_feature_there_are_no_families(atoms, n_live):
    mostly_dead = atoms[:6].copy()
    mostly_dead[n_live:] = 0
    for limit in (4, 100):
        analysis = SymmetryAnalyzer(group=GROUP, max_features_in_full=limit).fit(mostly_dead)
        assert (analysis.labels_ == -1).all()
        assert analysis.families_ == []
        assert len(analysis.families_table_) == 0
        assert analysis.dead_.sum() == 6 - n_live
        assert np.isfinite(analysis.profiles_).all()
        assert np.isfinite(analysis.spectra_).all()


@pytest.fixture(scope="module")
def data():
    return make_orbits(1200, group=GROUP, n_channels=16, n_families=5, random_state=5)


@pytest.fixture(scope="module")
def crosscoder(data):
    return GroupCrosscoder(
        GROUP, 40, activation="topk", k=4, max_epochs=40, batch_size=64, random_state=0
    ).fit(data.orbits[:800])


class TestEvidence:
    def test_orbits_bring_confidence(self, crosscoder, data):
        ids = np.arange(400) // 10
        analysis = SymmetryAnalyzer().fit(crosscoder, orbits=data.orbits[800:], image_ids=ids)
        again = SymmetryAnalyzer().fit(crosscoder, orbits=data.orbits[800:], image_ids=ids)
        np.testing.assert_array_equal(analysis.confidence_, again.confidence_)
        known = np.isfinite(analysis.confidence_)
        assert known.mean() > 0.5
        assert np.median(analysis.confidence_[known]) > 0.9
        expected, _ = analysis.evidence_.name(0.8, margin=0.1, error_rate=0.05)
        own = [s.name for s in analysis.own_stabilizers_]
        assert [a for a, k in zip(own, known, strict=True) if k] == [
            s.name for s, k in zip(expected, known, strict=True) if k
        ]
        assert analysis.features_table_["own_symmetry"].tolist() == own
        assert analysis.diagnose(crosscoder, data.orbits[800:]) == []
        remarks = analysis.features_table_["confidence_remark"]
        assert remarks[~known].str.startswith("fires on ").all()
        # of a feature that fires too rarely to have one of its own it is the family's
        rare = np.array([bool(reason) for reason in analysis.evidence_.reasons])
        assert (known & rare).any()
        np.testing.assert_array_equal(remarks == "", known & ~rare)
        assert remarks[known & rare].str.startswith("its family's: the feature fires on ").all()

    def test_atoms_alone_have_none(self, analysis):
        assert analysis.evidence_ is None
        assert np.isnan(analysis.confidence_).all()
        assert analysis.atom_stabilizers_ is analysis.stabilizers_
        assert set(analysis.features_table_["responses"]) == {"not measured"}
        remarks = set(analysis.features_table_["confidence_remark"])
        assert remarks == {"not measured: no orbits were given"}

    def test_without_refitting_there_is_none_and_the_table_says_so(self, crosscoder, data):
        analysis = SymmetryAnalyzer(refit=False).fit(
            crosscoder, orbits=data.orbits[800:], image_ids=np.arange(400) // 10
        )
        assert np.isnan(analysis.features_table_["confidence"]).all()
        remarks = set(analysis.features_table_["confidence_remark"])
        assert remarks == {"not measured: refit=False"}

    def test_what_is_missing_is_said(self, crosscoder, data):
        with pytest.raises(TypeError, match=r"fit\(crosscoder, orbits="):
            SymmetryAnalyzer(group=GROUP).fit(crosscoder.components_, orbits=data.orbits)
        with pytest.raises(ValueError, match="image_ids says of which image"):
            SymmetryAnalyzer().fit(crosscoder, orbits=data.orbits)
        with pytest.raises(ValueError, match=r"margin lies in \[0, threshold\); got 0.5"):
            SymmetryAnalyzer(threshold=0.4, margin=0.5).fit(
                crosscoder, orbits=data.orbits, image_ids=np.arange(1200)
            )


@pytest.mark.parametrize("name", ["distances_", "similarity_", "alignment_", "embedding_"])
def test_before_fit_attributes_are_missing_and_say_why(name):
    assert not hasattr(SymmetryAnalyzer(), name)
    with pytest.raises(AttributeError, match="not fitted yet"):
        getattr(SymmetryAnalyzer(), name)


def test_a_misspelt_attribute_is_missing_as_elsewhere(analysis):
    with pytest.raises(AttributeError, match="'SymmetryAnalyzer' object has no attribute"):
        _ = analysis.distance_


def test_an_analysis_can_be_pickled(analysis):
    again = pickle.loads(pickle.dumps(analysis))
    np.testing.assert_array_equal(again.distances_, analysis.distances_)


def test_condensed_distances_are_those_of_scipy(analysis):
    condensed = analysis.condensed_distances()
    np.testing.assert_array_equal(squareform(condensed), analysis.distances_)


@pytest.mark.parametrize("n", [1, 2])
def test_one_feature_is_enough(atoms, n):
    analysis = SymmetryAnalyzer(group=GROUP).fit(atoms[:n])
    assert analysis.distances_.shape == (n, n)
    assert analysis.condensed_distances().shape == (n * (n - 1) // 2,)
    with pytest.raises(ValueError, match="at least 5 features"):
        _ = analysis.embedding_


def test_clone_and_params():
    analyzer = SymmetryAnalyzer(group=Dihedral(3), threshold=0.7)
    assert clone(analyzer).get_params() == analyzer.get_params()


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.5])
def test_thresholds_out_of_range_are_refused(atoms, threshold):
    with pytest.raises(ValueError, match="'threshold' parameter"):
        SymmetryAnalyzer(group=GROUP, threshold=threshold).fit(atoms)


def test_bad_atoms_are_refused(atoms):
    with pytest.raises(ValueError, match="do not name their group"):
        SymmetryAnalyzer().fit(atoms)
    with pytest.raises(ValueError, match=r"256 columns; Dihedral\(3\) has 6"):
        SymmetryAnalyzer(group=Dihedral(3)).fit(atoms)
    for value in (np.inf, np.nan):
        broken = atoms.copy()
        broken[3, 5] = value
        with pytest.raises(ValueError, match="infinity|NaN"):
            SymmetryAnalyzer(group=GROUP).fit(broken)


def test_a_group_too_large_for_names_is_refused_before_the_work(monkeypatch):
    monkeypatch.setattr("sklearn_groupcross.analysis._analyzer.profiles_and_power", None)
    with pytest.raises(ValueError, match="groups of at most 128 elements; this one has 130"):
        SymmetryAnalyzer(group=Dihedral(65)).fit(np.eye(4, 260))


def test_a_pipeline_is_refused_by_name():
    with pytest.raises(TypeError, match=r"X is a Pipeline.*pass pipeline\[-1\]"):
        SymmetryAnalyzer().fit(make_pipeline(GroupCrosscoder()))


def test_groups_are_made_by_classes(atoms):
    with pytest.raises(ValueError, match="SymmetryAnalyzer: group must be a FiniteGroup, such as"):
        SymmetryAnalyzer(group=4).fit(atoms)
