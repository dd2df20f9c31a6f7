from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.analysis import match_dictionaries
from tests.analysis.planted import moved_copy, strangers
from tests.groups.strategies import GROUPS, NON_ABELIAN

D4 = Dihedral(4)


@given(GROUPS, st.integers(0, 50))
def test_moved_permuted_and_scaled_copies_match_perfectly(group, seed):
    data = strangers(group, seed)
    atoms = data.components.astype(np.float64)
    copy, order, poses = moved_copy(atoms, group, np.random.default_rng(seed))
    matching = match_dictionaries(atoms, copy, group=group)
    np.testing.assert_allclose(matching.similarity, 1.0, atol=1e-6)
    np.testing.assert_array_equal(order[matching.pairs[:, 1]], matching.pairs[:, 0])
    for (i, j), h in zip(matching.pairs, matching.alignment, strict=True):
        # R_h R_pose W_i = W_i: the product is in the stabilizer of W_i
        assert group.cayley_table[h, poses[j]] in data.stabilizers[i].elements


@pytest.mark.parametrize("group", NON_ABELIAN, ids=repr)
def test_the_alignment_carries_the_second_atom_to_the_first_and_not_back(group):
    atoms = strangers(group, n_families=12, stabilizers="trivial").components
    copy, _, poses = moved_copy(atoms, group, np.random.default_rng(1))
    matching = match_dictionaries(atoms, copy, group=group)
    swapped = match_dictionaries(copy, atoms, group=group)
    assert (group.inverses[poses[matching.pairs[:, 1]]] == matching.alignment).all()
    by_first = swapped.pairs[:, 1].argsort()
    assert (group.inverses[swapped.alignment[by_first]] == matching.alignment).all()
    assert (matching.alignment != group.inverses[matching.alignment]).any()


def test_in_one_pose_moved_copies_do_not_match():
    atoms = strangers(D4, stabilizers="trivial").components
    moved = atoms[:, D4.right_translation(3)]
    matching = match_dictionaries(atoms, moved, group=D4, up_to_group=False)
    assert not matching.matched.any()
    assert (matching.alignment == D4.identity).all()
    assert match_dictionaries(atoms, atoms, group=D4, up_to_group=False).share == 1


def test_random_dictionaries_do_not_match():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 30, 8 * 24))
    matching = match_dictionaries(first, second, group=D4)
    assert matching.share == 0
    assert matching.similarity.max() < 0.5


def test_the_assignment_is_one_to_one_and_best_is_not():
    atoms = strangers(D4, stabilizers="trivial").components
    twice = np.concatenate([atoms[:1], atoms[:1, D4.right_translation(5)], atoms[1:]])
    matching = match_dictionaries(twice, atoms, group=D4)
    assert len(matching.pairs) == len(atoms)
    assert len(set(matching.pairs[:, 1])) == len(atoms)
    np.testing.assert_allclose(matching.best_first, 1, atol=1e-6)  # both find the same partner
    assert matching.share == len(atoms) / len(twice)


def test_the_assignment_maximizes_the_sum_of_similarities():
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal((2, 5, 6 * 2))
    group = Dihedral(3)
    matching = match_dictionaries(first, second, group=group)
    one_by_one = np.array(
        [[match_dictionaries(a[None], b[None], group=group).similarity[0] for b in second]
         for a in first]
    )  # fmt: skip
    sums = [one_by_one[range(5), list(order)].sum() for order in itertools.permutations(range(5))]
    assert matching.similarity.sum() == pytest.approx(max(sums))
    assert max(sums) < one_by_one.max(axis=1).sum()  # best matches alone would not be one to one
    swapped = match_dictionaries(second, first, group=group)
    assert swapped.similarity.sum() == pytest.approx(matching.similarity.sum())


def test_dead_features_are_set_apart():
    atoms = strangers(D4).components.copy()
    atoms[1] = 0
    matching = match_dictionaries(atoms, np.zeros_like(atoms), group=D4)
    assert len(matching.pairs) == 0
    assert matching.share == 0
    assert matching.dead_second.all()
    assert np.isnan(matching.best_first).all()
    matching = match_dictionaries(atoms, strangers(D4).components, group=D4)
    assert matching.dead_first.tolist() == [False, True, False, False]
    assert 1 not in matching.pairs[:, 0]
    assert np.isfinite(matching.similarity).all()


def test_fitted_crosscoders_bring_their_group_also_against_atoms():
    orbits = make_orbits(100, group=D4, random_state=0).orbits
    crosscoder = GroupCrosscoder(D4, 6, max_epochs=2, random_state=0).fit(orbits)
    assert match_dictionaries(crosscoder, crosscoder.components_).share == 1
    frame = match_dictionaries(crosscoder.components_, crosscoder).to_frame()
    assert frame.columns.tolist() == [
        "first", "second", "similarity", "alignment", "moves", "matched",
    ]  # fmt: skip
    assert (frame["moves"] == "identity").all()


def test_matching_many_tiles_agrees_with_one(monkeypatch):
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 17, 8 * 5))
    whole = match_dictionaries(first, second, group=D4)
    monkeypatch.setattr("sklearn_groupcross.analysis._correlation._TILE_BYTES", {"cpu": 8 * 8 * 9})
    tiled = match_dictionaries(first, second, group=D4)
    np.testing.assert_array_equal(whole.pairs, tiled.pairs)
    np.testing.assert_array_equal(whole.alignment, tiled.alignment)
    np.testing.assert_allclose(whole.similarity, tiled.similarity)


@pytest.mark.parametrize(
    ("first", "options", "message"),
    [
        (np.ones((2, 16)), {}, "alone do not name their group"),
        (np.ones((2, 15)), {"group": D4}, "must be a multiple of 8"),
        (np.ones((2, 8)), {"group": D4}, "same layer"),
        (np.full((2, 16), np.inf), {"group": D4}, "first contains infinity"),
        (np.ones((2, 16)), {"group": D4, "threshold": 0}, "threshold is a cosine"),
    ],
)
def test_bad_input_is_refused(first, options, message):
    with pytest.raises(ValueError, match=message):
        match_dictionaries(first, np.ones((3, 16)), **options)


def test_what_is_not_a_dictionary_of_the_group_is_refused():
    orbits = make_orbits(50, group=D4, random_state=0).orbits
    autoencoder = GroupCrosscoder(n_features=4, max_epochs=1).fit(orbits[:, :1])
    with pytest.raises(ValueError, match="lift_dictionary"):
        match_dictionaries(autoencoder, np.ones((3, 8 * 32)), group=D4)
    with pytest.raises(TypeError, match="last step"):
        match_dictionaries(make_pipeline(autoencoder), autoencoder)
    with pytest.raises(NotFittedError):
        match_dictionaries(GroupCrosscoder(D4), autoencoder)


def test_each_feature_knows_its_partner():
    atoms = strangers(D4).components.copy()
    atoms[1] = 0
    matching = match_dictionaries(atoms, atoms[[3, 0]], group=D4)
    assert matching.partner_first.tolist() == [1, -1, -1, 0]
    np.testing.assert_allclose(matching.similarity_first, [1, np.nan, np.nan, 1], rtol=1e-6)
    assert matching.matched_first.tolist() == [True, False, False, True]
