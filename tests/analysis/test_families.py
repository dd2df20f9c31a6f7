from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from sklearn_groupcross import Dihedral
from sklearn_groupcross.analysis import cluster_families, describe_families, families_table
from sklearn_groupcross.analysis._families import find_kin
from sklearn_groupcross.analysis._poses import all_poses, canonical_poses, list_elements
from sklearn_groupcross.analysis._spectra import self_profiles
from sklearn_groupcross.groups import Quaternion, find_stabilizers
from sklearn_groupcross.testing import groups
from tests.analysis.planted import compare, plant

METHODS = ["average", "hdbscan", "graph"]
small_groups = groups(max_order=16)


def nearest_neighbors(distances, k):
    """The k nearest of every feature as a graph, zeros stored."""
    others = distances + np.where(np.eye(len(distances), dtype=bool), np.inf, 0.0)
    columns = np.argsort(others, axis=1, kind="stable")[:, :k]
    rows = np.repeat(np.arange(len(distances)), k)
    data = np.take_along_axis(distances, columns, axis=1).ravel()
    return sparse.csr_array((data, (rows, columns.ravel())), shape=distances.shape)


def describe(blocks, group, labels=None, **options):
    atoms, distances, alignment = compare(blocks, group)
    alive = atoms.any(axis=(1, 2))
    if labels is None:
        labels = cluster_families(distances, alive, **options)
    stabilizers = find_stabilizers(group, self_profiles(atoms, group))
    return describe_families(labels, distances, alignment, stabilizers, atoms=atoms), stabilizers


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_graph_of_neighbors_does_as_well_as_all_distances(noise):
    """Also for exact copies, whose distances are zeros: stored zeros are edges."""
    group = Dihedral(6)
    planted, blocks = plant(group, 6, seed=4, noise=noise)
    atoms, distances, alignment = compare(blocks, group)
    alive = np.ones(len(distances), dtype=bool)
    graph = nearest_neighbors(distances, 5)
    assert graph.nnz == 5 * len(distances)
    labels = cluster_families(graph, alive, method="graph")
    np.testing.assert_array_equal(labels, cluster_families(distances, alive, method="graph"))
    found = np.where(labels < 0, 100 + np.arange(len(labels)), labels)
    assert adjusted_rand_score(planted.families, found) == 1.0
    stabilizers = find_stabilizers(group, self_profiles(atoms, group))
    whole = nearest_neighbors(distances, len(distances) - 1)
    expected = describe_families(labels, distances, alignment, stabilizers, atoms=atoms)
    assert describe_families(labels, whole, None, stabilizers, atoms=atoms) == expected


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


def test_sub_families_are_the_families_of_a_smaller_distance():
    distances = np.full((6, 6), 0.4)
    distances[:3, :3] = distances[3:5, 3:5] = 0.1
    np.fill_diagonal(distances, 0)
    group = Dihedral(3)
    stabilizers = find_stabilizers(group, np.eye(6)[np.zeros(6, dtype=int)])
    labels = cluster_families(distances, np.ones(6, dtype=bool), 0.5)
    (family,) = describe_families(labels, distances, np.zeros((6, 6), dtype=int), stabilizers)
    assert family.sub_families == (0, 0, 0, 1, 1, 2)
    table = families_table([family], stabilizers, ["other"] * 6, [[0.0]])
    assert table["sub_families"].tolist() == [3]


def test_kin_are_members_medoid_and_how_to_get_there():
    group = Dihedral(4)
    _, blocks = plant(group, 3, seed=1)
    atoms, distances, alignment = compare(blocks, group)
    labels = cluster_families(distances, np.ones(len(blocks), dtype=bool))
    stabilizers = find_stabilizers(group, self_profiles(atoms, group))
    families = describe_families(labels, distances, None, stabilizers, atoms=atoms)
    kin = find_kin(labels, distances, lambda members, medoid: alignment[members, medoid])
    for family, found in zip(families, kin, strict=True):
        assert (family.members, family.medoid) == (tuple(found.members.tolist()), found.medoid)
        stabilizer = stabilizers[found.medoid].subgroup
        assert canonical_poses(found.carriers, stabilizer) == family.poses
