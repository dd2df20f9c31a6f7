from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.analysis import match_dictionaries, stability
from tests.groups.strategies import NON_ABELIAN, groups

D4 = Dihedral(4)


def planted(group, seed=0, n_families=4, **options):
    """Atoms that are not one another's transforms."""
    options = {"closed": False, "n_channels": 12} | options
    return make_orbits(8, group=group, n_families=n_families, random_state=seed, **options)


def moved_copy(atoms, group, rng):
    """The same atoms in another order, in other poses, of other sizes."""
    order = rng.permutation(len(atoms))
    poses = rng.integers(0, group.order, len(atoms))
    sizes = rng.uniform(0.1, 10, len(atoms))
    copy = [
        size * atoms[i][group.right_translation(h)]
        for i, h, size in zip(order, poses, sizes, strict=True)
    ]
    return np.stack(copy), order, poses


@given(groups, st.integers(0, 50))
def test_moved_permuted_and_scaled_copies_match_perfectly(group, seed):
    data = planted(group, seed)
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
    atoms = planted(group, n_families=12, stabilizers="trivial").components
    copy, _, poses = moved_copy(atoms, group, np.random.default_rng(1))
    matching = match_dictionaries(atoms, copy, group=group)
    swapped = match_dictionaries(copy, atoms, group=group)
    assert (group.inverses[poses[matching.pairs[:, 1]]] == matching.alignment).all()
    by_first = swapped.pairs[:, 1].argsort()
    assert (group.inverses[swapped.alignment[by_first]] == matching.alignment).all()
    assert (matching.alignment != group.inverses[matching.alignment]).any()


def test_in_one_pose_moved_copies_do_not_match():
    atoms = planted(D4, stabilizers="trivial").components
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
    atoms = planted(D4, stabilizers="trivial").components
    twice = np.concatenate([atoms[:1], atoms[:1, D4.right_translation(5)], atoms[1:]])
    matching = match_dictionaries(twice, atoms, group=D4)
    assert len(matching.pairs) == len(atoms)
    assert len(set(matching.pairs[:, 1])) == len(atoms)
    np.testing.assert_allclose(matching.best_first, 1, atol=1e-6)  # both find the same partner
    assert matching.share == len(atoms) / len(twice)


def test_the_assignment_maximises_the_sum_of_similarities():
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
    atoms = planted(D4).components.copy()
    atoms[1] = 0
    matching = match_dictionaries(atoms, np.zeros_like(atoms), group=D4)
    assert len(matching.pairs) == 0
    assert matching.share == 0
    assert matching.dead_second.all()
    assert np.isnan(matching.best_first).all()
    matching = match_dictionaries(atoms, planted(D4).components, group=D4)
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


# --- stability ---------------------------------------------------------------------------------


def noisy(atoms, size, seed):
    noise = np.random.default_rng(seed).standard_normal(atoms.shape)
    return atoms + size * noise / np.sqrt(atoms[0].size)


def test_copies_are_stable_and_unrelated_atoms_are_not():
    atoms = planted(D4, n_families=20, n_channels=32).components
    copy, *_ = moved_copy(atoms, D4, np.random.default_rng(0))
    unrelated = planted(D4, seed=9, n_families=20, n_channels=32).components
    found = stability({"a": atoms, "b": copy, "c": unrelated}, group=D4).summary
    found = found.set_index("dictionary")
    # a finds all of itself in b and nothing in c
    assert found["stable_share"].to_dict() == {"a": 0.5, "b": 0.5, "c": 0.0}
    assert (found["null_stable_share"] == 0).all()
    assert (found["mean_max_similarity"] >= found["mean_similarity"]).all()


@pytest.mark.parametrize("null", ["signs", "gaussian"])
def test_unrelated_dictionaries_are_as_stable_as_the_null(null):
    first, second = (planted(D4, seed, 30).components for seed in (1, 2))
    row = stability([first, second], group=D4, null=null).summary.iloc[0]
    assert row["mean_max_similarity"] == pytest.approx(row["null_mean_max_similarity"], abs=0.05)
    related = stability([first, noisy(first, 0.5, 0)], group=D4, null=null).summary.iloc[0]
    assert related["mean_max_similarity"] > related["null_mean_max_similarity"] + 0.3


def test_the_interval_covers_the_share_and_is_wider_for_families():
    rng = np.random.default_rng(0)
    free = planted(D4, n_families=40, stabilizers="trivial", n_channels=24).components
    kept = rng.permutation(40) < 20
    half = np.where(kept[:, None, None], free, rng.standard_normal(free.shape))
    alone = stability([free, half], group=D4).summary.iloc[0]
    assert alone["stable_share"] == 0.5
    assert alone["stable_share_low"] < 0.5 < alone["stable_share_high"]
    # the same with each feature four times over: no more witnesses than before
    copies = np.concatenate([noisy(free, 0.1, seed) for seed in range(4)])
    repeated = stability([copies, np.tile(half, (4, 1, 1))], group=D4).summary.iloc[0]
    widths = [row["stable_share_high"] - row["stable_share_low"] for row in (alone, repeated)]
    assert repeated["stable_share"] == 0.5
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_one_row_a_feature_and_other_dictionary():
    atoms = planted(D4).components.copy()
    atoms[2] = 0
    found = stability([atoms, atoms[:2]], group=D4)
    own = found.features[found.features["dictionary"] == "dictionary 0"]
    assert own["feature"].tolist() == [0, 1, 3]
    assert own["match"].tolist() == [0, 1, -1]
    assert own["stable"].tolist() == [True, True, False]
    assert np.isnan(own["similarity"].iloc[2])
    row = found.summary.iloc[0]
    assert (row["n_live"], row["n_dead"]) == (3, 1)
    assert row["stable_share"] == pytest.approx(2 / 3)
    assert np.isnan(row["stable_share_low"])  # three families are too few to draw from


def test_dead_dictionaries_have_no_figures():
    atoms = planted(D4).components
    summary = stability([atoms, np.zeros_like(atoms)], group=D4).summary
    assert summary["stable_share"].iloc[0] == 0
    assert np.isnan(summary["stable_share"].iloc[1])
    assert summary["mean_max_similarity"].isna().all()


def test_the_same_seed_gives_the_same_figures():
    first, second = planted(D4, 1).components, planted(D4, 2).components
    one, again, other = (
        stability([first, second], group=D4, random_state=seed).summary for seed in (0, 0, 1)
    )
    assert one.equals(again)
    assert not one.equals(other)


def test_stability_refuses_what_cannot_be_compared():
    atoms = planted(D4).components
    with pytest.raises(ValueError, match="at least two"):
        stability([atoms], group=D4)
    with pytest.raises(ValueError, match="same layer"):
        stability([atoms, atoms[:, :, :3]], group=D4)
    with pytest.raises(ValueError, match="null is one of"):
        stability([atoms, atoms], group=D4, null="none")
    with pytest.raises(ValueError, match="8 blocks"):
        stability([atoms, atoms], group=Cyclic(4))
