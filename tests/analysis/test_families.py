from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from sklearn_groupcross import Cyclic, Dihedral, Trivial, make_orbits
from sklearn_groupcross.analysis import (
    cluster_families,
    describe_families,
    families_table,
)
from sklearn_groupcross.analysis._poses import all_poses, describe_poses, list_elements
from sklearn_groupcross.analysis._similarity import best_alignment, self_profiles, unit_atoms
from sklearn_groupcross.groups import Quaternion, RotationGroup, find_stabilizers
from sklearn_groupcross.testing import groups

METHODS = ["average", "hdbscan", "graph"]
small_groups = groups(max_order=16)


def compare(blocks, group):
    atoms = unit_atoms(blocks.reshape(len(blocks), -1), group.order)
    similarity, alignment = best_alignment(atoms, None, group, torch.device("cpu"))
    distances = np.clip(1.0 - similarity, 0.0, 2.0)
    np.fill_diagonal(distances, 0.0)
    return atoms, distances, alignment


def nearest_neighbours(distances, k):
    """The k nearest of every feature as a graph, zeros stored."""
    others = distances + np.where(np.eye(len(distances), dtype=bool), np.inf, 0.0)
    columns = np.argsort(others, axis=1, kind="stable")[:, :k]
    rows = np.repeat(np.arange(len(distances)), k)
    data = np.take_along_axis(distances, columns, axis=1).ravel()
    return sparse.csr_array((data, (rows, columns.ravel())), shape=distances.shape)


def plant(group, n_families=3, seed=0, noise=0.3, **options):
    """Families with some noise, so that nothing ties."""
    planted = make_orbits(
        2, group=group, n_channels=24, n_families=n_families, n_active=1, random_state=seed,
        **options,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    scale = noise / np.sqrt(planted.components[0].size)
    return planted, planted.components + scale * rng.standard_normal(planted.components.shape)


def describe(blocks, group, labels=None, **options):
    atoms, distances, alignment = compare(blocks, group)
    alive = atoms.any(axis=(1, 2))
    if labels is None:
        labels = cluster_families(distances, alive, **options)
    stabilizers = find_stabilizers(group, self_profiles(atoms, group))
    return describe_families(labels, distances, alignment, stabilizers, atoms=atoms), stabilizers


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


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_graph_of_neighbours_does_as_well_as_all_distances(noise):
    """Also for exact copies, whose distances are zeros: stored zeros are edges."""
    group = Dihedral(6)
    planted, blocks = plant(group, 6, seed=4, noise=noise)
    atoms, distances, alignment = compare(blocks, group)
    alive = np.ones(len(distances), dtype=bool)
    graph = nearest_neighbours(distances, 5)
    assert graph.nnz == 5 * len(distances)
    labels = cluster_families(graph, alive, method="graph")
    np.testing.assert_array_equal(labels, cluster_families(distances, alive, method="graph"))
    found = np.where(labels < 0, 100 + np.arange(len(labels)), labels)
    assert adjusted_rand_score(planted.families, found) == 1.0
    stabilizers = find_stabilizers(group, self_profiles(atoms, group))
    whole = nearest_neighbours(distances, len(distances) - 1)
    expected = describe_families(labels, distances, alignment, stabilizers, atoms=atoms)
    assert describe_families(labels, whole, None, stabilizers, atoms=atoms) == expected


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


@given(small_groups, st.integers(0, 50), st.data())
def test_translating_members_changes_no_family_and_moves_their_poses(group, seed, data):
    _, blocks = plant(group, 3, seed=seed)
    before, stabilizers = describe(blocks, group)
    shifts = data.draw(
        st.lists(st.integers(0, group.order - 1), min_size=len(blocks), max_size=len(blocks))
    )
    moved = np.stack([b[group.right_translation(h)] for b, h in zip(blocks, shifts, strict=True)])
    after, moved_stabilizers = describe(moved, group)
    for one, two in zip(before, after, strict=True):
        assert one.members == two.members
        assert one.medoid == two.medoid
        k = stabilizers[one.medoid].subgroup
        shift = shifts[one.medoid]
        # the medoid's stabilizer is conjugated: R_s W is fixed by s K s⁻¹
        assert moved_stabilizers[one.medoid].subgroup.elements == k.conjugate(shift).elements
        assert len(two.gaps) + len(set(two.poses)) == len(all_poses(k))
        for member, pose, new in zip(one.members, one.poses, two.poses, strict=True):
            # from the moved medoid back to where it was, to the member, and on with the member
            path = group.multiply(group.multiply(shifts[member], pose), group.inverse(shift))
            conjugate = moved_stabilizers[one.medoid].subgroup
            coset = group.cayley_table[path, list(conjugate.elements)]
            assert new == coset.min()


@given(small_groups, st.integers(0, 50), st.sampled_from(METHODS))
def test_permuting_features_permutes_results(group, seed, method):
    _, blocks = plant(group, 4, seed=seed)
    order = np.random.default_rng(seed).permutation(len(blocks))
    before, _ = describe(blocks, group, method=method)
    after, _ = describe(blocks[order], group, method=method)
    named = {frozenset(order[list(f.members)].tolist()): f for f in after}
    assert set(named) == {frozenset(f.members) for f in before}
    for family in before:
        if len(family) > 2:  # two members are equally central: the first is the medoid
            other = named[frozenset(family.members)]
            assert order[other.medoid] == family.medoid
            poses = dict(zip(order[list(other.members)].tolist(), other.poses, strict=True))
            assert tuple(poses[m] for m in family.members) == family.poses
            assert other.coverage == family.coverage


@given(small_groups, st.integers(0, 50), st.data())
def test_gaps_are_the_members_taken_away(group, seed, data):
    subgroup = data.draw(st.sampled_from(group.subgroups()))
    assume(group.order // subgroup.order > 3)
    _, blocks = plant(group, 1, seed=seed, stabilizers=subgroup)
    labels = np.zeros(len(blocks), dtype=np.int64)
    (complete,), _ = describe(blocks, group, labels)
    assert complete.gaps == ()
    assert complete.coverage == 1.0
    assert complete.description.endswith("complete")
    left_out = data.draw(st.integers(0, len(blocks) - 1))
    assume(left_out != complete.medoid)
    # the same medoid, whichever is most central among the rest
    atoms, distances, alignment = compare(blocks, group)
    distances[complete.medoid] = distances[:, complete.medoid] = 0.0
    stabilizers = find_stabilizers(group, self_profiles(atoms, group))
    (family,) = describe_families(
        np.where(np.arange(len(blocks)) == left_out, -1, 0), distances, alignment, stabilizers,
        atoms=atoms,
    )  # fmt: skip
    assert family.medoid == complete.medoid
    assert family.gaps == (complete.poses[left_out],)
    assert family.coverage == pytest.approx(1 - 1 / len(blocks))
    assert not family.description.endswith("complete")


def test_margins_are_those_of_the_definition():
    group = Dihedral(4)
    _, blocks = plant(group, 1, stabilizers=group.generated_subgroup([2]))
    atoms, _, _ = compare(blocks, group)
    (family,), stabilizers = describe(blocks, group)
    k = stabilizers[family.medoid].subgroup
    for i, member in enumerate(family.members):
        cosines = [
            float((atoms[member] * atoms[family.medoid][group.right_translation(h)]).sum())
            for h in range(group.order)
        ]
        best = int(np.argmax(cosines))
        coset = set(group.cayley_table[best, list(k.elements)].tolist())
        outside = max(c for h, c in enumerate(cosines) if h not in coset)
        assert family.similarities[i] == pytest.approx(max(cosines), abs=1e-6)
        assert family.margins[i] == pytest.approx(max(cosines) - outside, abs=1e-6)
        assert family.poses[i] == min(coset)


def test_features_that_nothing_moves_have_one_pose_and_no_margin():
    group = Quaternion()
    _, blocks = plant(group, 1, stabilizers=group.generated_subgroup(range(8)), noise=0.1)
    blocks = np.concatenate([blocks, blocks])
    (family,), _ = describe(blocks, group)
    assert family.poses == (0, 0)
    assert np.isnan(family.margins).all()
    assert family.description == "1 of 1 poses; complete"


def test_alignments_serve_in_place_of_atoms():
    group = Dihedral(5)
    _, blocks = plant(group, 3, seed=3)
    atoms, distances, alignment = compare(blocks, group)
    labels = cluster_families(distances, np.ones(len(blocks), dtype=bool))
    stabilizers = find_stabilizers(group, self_profiles(atoms, group))
    with_atoms = describe_families(labels, distances, None, stabilizers, atoms=atoms)
    without = describe_families(labels, distances, alignment, stabilizers)
    assert [f.poses for f in with_atoms] == [f.poses for f in without]
    assert [f.gaps for f in with_atoms] == [f.gaps for f in without]
    np.testing.assert_allclose(
        np.concatenate([f.similarities for f in with_atoms]),
        np.concatenate([f.similarities for f in without]),
        atol=1e-5,
    )
    assert np.isnan(without[0].margins).all()
    with pytest.raises(ValueError, match="both are None"):
        describe_families(labels, distances, None, stabilizers)


FULL = range(16)


@pytest.mark.parametrize(
    ("group", "generators", "poses", "kind", "words"),
    [
        (Cyclic(16), [], set(FULL) - {4}, "curve or edge",
         "curves or edges: 0° to 337.5°, missing 90°"),
        (Cyclic(32), [16], FULL, "line", "lines: 0° to 168.75°; complete"),
        (Cyclic(16), [], set(FULL) - {1, 2, 8}, None,
         "0° to 337.5°, missing 22.5° to 45° and 180°"),
        (Cyclic(16), [], set(FULL) - {0, 15, 8}, None,
         "0° to 337.5°, missing 180° and 337.5° to 0°"),
        (Cyclic(16), [], {2, 3, 9}, "other", "only 45° to 67.5° and 202.5°"),
        (Dihedral(4), [], {0, 1, 2, 3, 4, 5, 7}, None,
         "0° to 270°; mirrored 0° to 270°, missing 180°"),
        (Dihedral(4), [], {0, 1, 3}, None, "0° to 270°, missing 180°; mirrored none"),
        (Dihedral(4), [4], {0, 1, 2, 3}, "grid", "grids: 0° to 270°; complete"),
        (Trivial(), [], {0}, "round", "round features: 0°; complete"),
        (Quaternion(), [4], {0, 1, 2}, None, "3 of 4 poses, missing k"),
        (Quaternion(), [], {0, 6}, None, "2 of 8 poses, only 1; -j"),
    ],
)  # fmt: skip
def test_poses_in_words(group, generators, poses, kind, words):
    assert describe_poses(sorted(poses), group.generated_subgroup(generators), kind) == words


def test_long_lists_of_poses_are_shortened():
    group = RotationGroup("octahedral")
    text = describe_poses(range(12), group.generated_subgroup([]))
    names = [group.describe_element(element) for element in range(12, 16)]
    assert text == f"12 of 24 poses, missing {'; '.join(names)}; 8 more"


def test_the_table_of_families():
    group = Dihedral(4)
    _, blocks = plant(group, 3, seed=2, stabilizers="trivial")
    blocks = blocks[:-2]
    _, distances, _ = compare(blocks, group)
    families, stabilizers = describe(blocks, group)
    medoids = [family.medoid for family in families]
    kinds = ["other"] * len(blocks)
    table = families_table(families, stabilizers, kinds, distances[np.ix_(medoids, medoids)])
    assert table.index.name == "family"
    assert table["size"].tolist() == [8, 8, 6]
    assert table["coverage"].tolist() == [1.0, 1.0, 0.75]
    assert table["missing"].tolist()[:2] == ["", ""]
    assert table["missing"][2] == list_elements(
        families[2].gaps, stabilizers[families[2].medoid].subgroup
    )
    members = [m for m in families[0].members if m != medoids[0]]
    assert table["within"][0] == pytest.approx(distances[members, medoids[0]].mean(), abs=1e-5)
    assert table["distance"][0] == min(distances[medoids[0], medoids[1:]])
    assert (table["nearest_family"] != table.index).all()
    alone = families_table(families[:1], stabilizers, kinds, [[0.0]])
    assert alone["nearest_family"].tolist() == [-1]
    assert np.isnan(alone["distance"][0])
    assert len(families_table([], [], [], np.empty((0, 0)))) == 0


def test_bad_input_is_refused():
    distances, alive = np.zeros((3, 3)), np.ones(3, dtype=bool)
    with pytest.raises(ValueError, match="one of 'average', 'hdbscan', 'graph'; got 'ward'"):
        cluster_families(distances, alive, method="ward")
    with pytest.raises(ValueError, match="min_size >= 2; got 1"):
        cluster_families(distances, alive, min_size=1)
    with pytest.raises(ValueError, match="'average' needs all distances"):
        cluster_families(sparse.csr_array(distances), alive)
