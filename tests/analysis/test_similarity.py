from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.cluster import HDBSCAN, AgglomerativeClustering
from sklearn.metrics import silhouette_score

from sklearn_groupcross.analysis import _correlation
from sklearn_groupcross.analysis._correlation import Spectra
from sklearn_groupcross.analysis._embedding import embed
from sklearn_groupcross.analysis._similarity import (
    best_alignment,
    nearest_cosines,
    nearest_neighbors,
    transform_block,
    unit_atoms,
)
from sklearn_groupcross.analysis._spectra import self_profiles
from sklearn_groupcross.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    FiniteGroup,
    Quaternion,
    Symmetric,
)
from tests.groups.strategies import GROUPS, NON_ABELIAN
from tests.tolerances import assert_near

CPU = torch.device("cpu")
SL_2_3 = FiniteGroup.from_matrices(
    [[0, 1], [-1, 0]], [[1j, 0], [0, -1j]], np.array([[1 + 1j, 1 + 1j], [-1 + 1j, 1 - 1j]]) / 2
)
DTYPES = [np.float32, np.float64]
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.cuda, needs_cuda])]


def random_atoms(group, m=5, d=4, seed=0, dtype=np.float64):
    components = np.random.default_rng(seed).standard_normal((m, group.order * d))
    return unit_atoms(components.astype(dtype), group.order)


def direct_cosines(first, second, permutations):
    """``cos(V_i, W_j permuted)`` for every permutation of the blocks, (n_permutations, m, n)."""
    flat = first.reshape(len(first), -1).astype(np.float64)
    return np.stack([flat @ second[:, p].reshape(len(second), -1).T for p in permutations])


def right_cosines(first, second, group):
    moves = [group.right_translation(h) for h in range(group.order)]
    return direct_cosines(first, second, moves)


def check_against_the_direct_sum(found, cosines, atol=1e-5):
    similarity, alignment = found
    np.testing.assert_allclose(similarity, cosines.max(axis=0), atol=atol)
    attained = np.take_along_axis(cosines, alignment[None].astype(int), axis=0)[0]
    np.testing.assert_allclose(attained, cosines.max(axis=0), atol=atol)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(25))  # with both dtypes, 50 dictionaries
def test_random_dictionaries_over_the_dihedral_group_of_64_elements(seed, dtype, device):
    group = Dihedral(32)
    rng = np.random.default_rng(seed)
    m, d = rng.integers(2, 12), rng.integers(1, 9)
    atoms = random_atoms(group, m, d, seed, dtype)
    found = best_alignment(atoms, None, group, torch.device(device))
    assert found[0].dtype == dtype
    check_against_the_direct_sum(found, right_cosines(atoms, atoms, group))


@settings(max_examples=50)
@given(GROUPS, st.integers(0, 2**32 - 1), st.sampled_from(DTYPES), st.booleans())
@example(Cyclic(7), 0, np.float64, True)
@example(Alternating(4), 0, np.float64, True)
@example(Quaternion(), 0, np.float64, True)
@example(SL_2_3, 0, np.float64, True)
@example(Cyclic(3) * Symmetric(3), 0, np.float64, True)
@example(Quaternion() * Quaternion(), 0, np.float32, False)
def test_random_groups_with_irreps_of_every_type(group, seed, dtype, same):
    first = random_atoms(group, 6, 3, seed, dtype)
    second = None if same else random_atoms(group, 4, 3, seed + 1, dtype)
    found = best_alignment(first, second, group, CPU)
    cosines = right_cosines(first, first if same else second, group)
    check_against_the_direct_sum(found, cosines, atol=1e-5 if dtype == np.float32 else 1e-11)


@pytest.mark.parametrize("group", NON_ABELIAN, ids=repr)
def test_left_translations_give_other_cosines(group):
    """The comparison with the direct sum tells left from right."""
    atoms = random_atoms(group)
    left = direct_cosines(atoms, atoms, group.cayley_table)
    with pytest.raises(AssertionError):
        check_against_the_direct_sum(best_alignment(atoms, None, group, CPU), left)


@given(GROUPS, st.integers(0, 100), st.sampled_from(DTYPES))
def test_exactly_symmetric_clipped_with_unit_diagonal_and_inverse_alignment(group, seed, dtype):
    atoms = random_atoms(group, 7, 2, seed, dtype)
    similarity, alignment = best_alignment(atoms, None, group, CPU, tile_size=3)
    np.testing.assert_array_equal(similarity, similarity.T)
    np.testing.assert_array_equal(alignment.T, group.inverses[alignment])
    assert (np.diag(similarity) == 1).all()
    assert (np.diag(alignment) == group.identity).all()
    assert np.abs(similarity).max() <= 1
    assert alignment.dtype == np.int16


@pytest.mark.parametrize("tile_size", [1, 2, 3, 4, 7, 100])
@pytest.mark.parametrize("n", [None, 1, 5])
def test_tiles_meet_without_gaps(tile_size, n):
    group = Dihedral(3)
    first = random_atoms(group, 7)
    second = None if n is None else random_atoms(group, n, seed=1)
    found = best_alignment(first, second, group, CPU, tile_size=tile_size)
    check_against_the_direct_sum(
        found, right_cosines(first, first if second is None else second, group)
    )


def test_many_pairs_go_through_in_several_passes():
    """More pairs in one tile than one pass of the inverse transform takes."""
    group = Dihedral(32)
    atoms = random_atoms(group, 300, 1, dtype=np.float32)
    found = best_alignment(atoms, None, group, CPU, tile_size=300)
    check_against_the_direct_sum(found, right_cosines(atoms, atoms, group))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("group", [Dihedral(32), SL_2_3, Quaternion() * Quaternion()], ids=repr)
def test_an_atom_and_its_scaled_translates_are_at_distance_zero(group, dtype):
    rng = np.random.default_rng(0)
    seed = np.maximum(rng.standard_normal((group.order, 300)), 0)
    moved = np.stack([seed[group.right_translation(h)] for h in range(group.order)])
    scaled = moved * rng.uniform(0.1, 10, (group.order, 1, 1))
    atoms = unit_atoms(scaled.reshape(group.order, -1).astype(dtype), group.order)
    similarity, alignment = best_alignment(atoms, None, group, CPU)
    assert (similarity == 1).all()
    # R_h W_j = R_h R_j W = R_i W
    elements = np.arange(group.order)
    np.testing.assert_array_equal(
        group.cayley_table[alignment, elements[None]],
        np.broadcast_to(elements[:, None], (len(moved),) * 2),
    )


def test_atoms_that_differ_by_more_than_rounding_are_told_apart():
    group = Dihedral(4)
    rng = np.random.default_rng(0)
    atom, other = rng.standard_normal((2, group.order * 20))
    atoms = unit_atoms(np.stack([atom, atom + 0.01 * other]).astype(np.float32), group.order)
    assert 0 < 1 - best_alignment(atoms, None, group, CPU)[0][0, 1] < 1e-3


@given(GROUPS, st.data())
def test_translating_an_atom_changes_no_similarity(group, data):
    atoms = random_atoms(group)
    shift = data.draw(st.integers(0, group.order - 1))
    moved = atoms.copy()
    moved[0] = atoms[0][group.right_translation(shift)]
    before, _ = best_alignment(atoms, None, group, CPU)
    after, _ = best_alignment(moved, None, group, CPU)
    np.testing.assert_allclose(before, after, atol=1e-12)


@pytest.mark.parametrize("group", NON_ABELIAN, ids=repr)
def test_left_translating_an_atom_would_change_it(group):
    """The law above tells right from left on groups that do not commute."""
    atoms = random_atoms(group)
    before, _ = best_alignment(atoms, None, group, CPU)
    changes = []
    for shift in range(group.order):
        moved = atoms.copy()
        moved[0] = atoms[0][group.cayley_table[shift]]
        changes.append(np.abs(best_alignment(moved, None, group, CPU)[0] - before).max())
    assert max(changes) > 0.05


@given(GROUPS, st.permutations(range(6)))
def test_permuting_atoms_permutes_similarity_and_alignment(group, order):
    atoms = random_atoms(group, 6)
    similarity, alignment = best_alignment(atoms, None, group, CPU, tile_size=4)
    other, other_alignment = best_alignment(atoms[order], None, group, CPU, tile_size=4)
    np.testing.assert_allclose(other, similarity[np.ix_(order, order)], atol=1e-12)
    np.testing.assert_array_equal(other_alignment, alignment[np.ix_(order, order)])


@given(GROUPS, st.lists(st.floats(1e-30, 1e30), min_size=4, max_size=4), st.sampled_from(DTYPES))
def test_scaling_atoms_changes_nothing(group, scales, dtype):
    components = np.random.default_rng(0).standard_normal((4, group.order * 3)).astype(dtype)
    scaled = components * np.array(scales, dtype=dtype)[:, None]
    before, _ = best_alignment(unit_atoms(components, group.order), None, group, CPU)
    after, _ = best_alignment(unit_atoms(scaled, group.order), None, group, CPU)
    assert_near(after, before, group.order * 3, dtype=dtype)


def test_scikit_learn_and_umap_take_the_distances_as_precomputed():
    group = SL_2_3
    atoms = random_atoms(group, 12)
    translates = atoms[:, group.right_translation(5)]
    distances = 1 - best_alignment(np.concatenate([atoms, translates]), None, group, CPU)[0]
    options = {"metric": "precomputed"}
    labels = AgglomerativeClustering(12, linkage="average", **options).fit_predict(distances)
    np.testing.assert_array_equal(labels[:12], labels[12:])
    assert silhouette_score(distances, labels, **options) == 1.0
    clusters = HDBSCAN(min_cluster_size=2, copy=True, **options).fit_predict(distances)
    np.testing.assert_array_equal(clusters[:12], clusters[12:])
    assert np.isfinite(embed(distances, seed=0)).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("tile_size", [1, 4, None])
@pytest.mark.parametrize("k", [1, 3, 10])
def test_neighbors_are_those_of_the_square_matrix(k, tile_size, device):
    group = SL_2_3
    atoms = random_atoms(group, 12)
    atoms[[2, 7]] = 0
    atoms[9] = atoms[0][group.right_translation(3)]
    atoms[5] = atoms[0][group.right_translation(8)]
    distances, indices = nearest_neighbors(
        atoms, group, min(k, 9), torch.device(device), tile_size=tile_size
    )
    square = 1 - best_alignment(atoms, None, group, CPU)[0]
    cosines = right_cosines(atoms, atoms, group)
    for i in range(12):
        if i in (2, 7):
            assert (indices[i] == -1).all()
            assert (distances[i] == 1).all()
            continue
        others = np.delete(np.arange(12), [2, 7, i])
        np.testing.assert_allclose(
            distances[i], np.sort(square[i, others])[: min(k, 9)], atol=1e-11
        )
        assert set(indices[i]) <= set(others.tolist())
        assert len(set(indices[i])) == min(k, 9)
        np.testing.assert_allclose(
            1 - cosines[:, i, indices[i]].max(axis=0), distances[i], atol=1e-11
        )
    # of equally near ones the first comes first
    for i, first_two in [(0, [5, 9]), (5, [0, 9]), (9, [0, 5])]:
        assert indices[i, :2].tolist() == first_two[:k]
        assert (distances[i, :2] == 0).all()


@pytest.mark.parametrize("k", [0, 3, 4])
def test_more_neighbors_than_live_atoms_are_refused(k):
    atoms = random_atoms(Dihedral(3), 4)
    atoms[1] = 0
    with pytest.raises(ValueError, match=r"from 1 to 2, since 3 of 4 atoms are not zero; got"):
        nearest_neighbors(atoms, Dihedral(3), k, CPU)


@given(GROUPS, st.sampled_from(DTYPES))
def test_profiles_are_the_diagonal(group, dtype):
    atoms = random_atoms(group, dtype=dtype)
    profiles = self_profiles(atoms, group)
    expected = right_cosines(atoms, atoms, group)[:, range(5), range(5)].T
    assert_near(profiles, expected, group.order * 4, size=1)
    assert profiles.dtype == dtype
    assert (profiles[:, group.identity] == 1).all()
    np.testing.assert_array_equal(profiles, profiles[:, group.inverses])


@pytest.mark.parametrize("group", [Dihedral(3), Dihedral(8), Alternating(4)], ids=repr)
def test_profiles_under_left_translation_would_be_others(group):
    atoms = random_atoms(group)
    left = direct_cosines(atoms, atoms, group.cayley_table)[:, range(5), range(5)].T
    assert np.abs(self_profiles(atoms, group) - left).max() > 0.05


def test_a_profile_has_the_same_bits_whatever_stands_beside_it_and_wherever_it_lies():
    group = Dihedral(32)
    atoms = random_atoms(group, 301, 37, dtype=np.float32)
    profiles = self_profiles(atoms, group)
    order = np.random.default_rng(0).permutation(301)
    np.testing.assert_array_equal(self_profiles(atoms[order], group), profiles[order])
    memory = np.empty(atoms.size + 16, dtype=np.float32)
    for offset in range(0, 16, 3):
        moved = memory[offset : offset + atoms[:5].size].reshape(atoms[:5].shape)
        moved[:] = atoms[:5]
        np.testing.assert_array_equal(self_profiles(moved, group), profiles[:5])


def test_transform_blocks_of_an_equivariant_atom_depend_on_the_quotient_alone():
    """W[g] = ρ(g) v with orthogonal ρ: T[g, h] is a function of g⁻¹ h."""
    from sklearn_groupcross.actions import ImageAction

    group = Dihedral(5)
    matrices = ImageAction(group).matrices.numpy()
    block = transform_block(matrices @ np.array([0.6, 0.8]))
    quotient = group.cayley_table[group.inverses]
    for q in range(group.order):
        assert np.ptp(block[quotient == q]) < 1e-12
    np.testing.assert_allclose(np.diag(block), 1.0)


def test_zero_atoms_and_blocks_are_zero_and_never_nan():
    group = Dihedral(4)
    atoms = random_atoms(group, 4)
    atoms[1] = 0
    similarity, alignment = best_alignment(atoms, None, group, CPU)
    others = [0, 2, 3]
    assert (similarity[1, others] == 0).all()
    assert (similarity[others, 1] == 0).all()
    assert similarity[1, 1] == 1
    assert (alignment[1] == group.identity).all()
    assert (self_profiles(atoms, group)[1] == 0).all()
    assert not unit_atoms(np.zeros((2, 8)), 4).any()
    assert not transform_block(np.zeros((4, 2))).any()


@pytest.mark.parametrize("scale", [1e-38, 1e38])
def test_unit_atoms_lose_no_size_in_squaring(scale):
    components = np.full((1, 4), scale, dtype=np.float32)
    np.testing.assert_allclose(unit_atoms(components, 2), 0.5, rtol=1e-6)


def test_arrays_may_be_read_only_and_of_any_layout():
    group = Dihedral(4)
    atoms = random_atoms(group, 6, 3)
    expected, _ = best_alignment(atoms, None, group, CPU)
    odd = np.asfortranarray(atoms)
    odd.setflags(write=False)
    np.testing.assert_allclose(best_alignment(odd, None, group, CPU)[0], expected, atol=1e-14)
    np.testing.assert_allclose(self_profiles(odd, group), self_profiles(atoms, group), atol=1e-14)
    components = np.asfortranarray(atoms.reshape(6, -1))
    np.testing.assert_allclose(unit_atoms(components, group.order), atoms, atol=1e-15)


def test_atoms_that_do_not_fit_are_refused():
    group = Dihedral(4)
    atoms = random_atoms(group)
    with pytest.raises(ValueError, match=r"shape \(m, 6, d\) for Dihedral\(3\); got shape \(5, 8"):
        best_alignment(atoms, None, Dihedral(3), CPU)
    for dtype in (np.int64, np.float16):
        with pytest.raises(ValueError, match=rf"shape \(m, 8, d\).*{dtype.__name__}"):
            self_profiles(np.ones((2, 8, 3), dtype=dtype), group)
    with pytest.raises(ValueError, match=r"4 of float64 and 3 of float64"):
        best_alignment(atoms, random_atoms(group, d=3), group, CPU)
    with pytest.raises(ValueError, match=r"4 of float64 and 4 of float32"):
        best_alignment(atoms, atoms.astype(np.float32), group, CPU)


@given(GROUPS, st.integers(0, 99), st.sampled_from([1, 2**27]))
def test_nearest_cosines_leave_out_one_atom_each_and_the_dead(group, seed, n_bytes):
    atoms = random_atoms(group, m=9, seed=seed)
    atoms[[2, 5]] = 0
    queries = np.array([7, 2, 0])
    expected, _ = best_alignment(atoms[queries], atoms, group, CPU)
    expected[np.arange(3), queries] = -np.inf
    expected[:, [2, 5]] = -np.inf
    dead = ~atoms.any(axis=(1, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_correlation, "_TILE_BYTES", {"cpu": n_bytes})
        found = nearest_cosines(atoms[queries], Spectra(atoms, group, CPU), queries, dead)
    np.testing.assert_allclose(found, expected.max(axis=1), atol=1e-12)
    alone = nearest_cosines(atoms[:1], Spectra(atoms[:1], group, CPU), np.zeros(1, int), dead[:1])
    assert alone.tolist() == [-np.inf]
