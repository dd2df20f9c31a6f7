from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, OrbitStore, make_orbits
from sklearn_groupcross.analysis import compare_separation, lift_dictionary
from sklearn_groupcross.analysis._lift import code_moments, solve
from sklearn_groupcross.analysis._separation import _unit, separation, split_photographs
from sklearn_groupcross.analysis._similarity import best_alignment
from sklearn_groupcross.orbits import StoredImage
from tests.groups.strategies import NON_ABELIAN

D4 = Dihedral(4)


def planted(n_samples=1600, group=D4, seed=0, n_families=6, n_channels=64, noise=0.0, **options):
    """Free families: 48 atoms, fewer than channels, so that one block tells all codes."""
    options = {"stabilizers": "trivial"} | options
    return make_orbits(
        n_samples,
        group=group,
        n_families=n_families,
        n_channels=n_channels,
        noise=noise,
        random_state=seed,
        **options,
    )


def photographs(n_samples, positions=10):
    return np.arange(n_samples) // positions


def perfect_autoencoder(data):
    """An autoencoder of the identity block that reads the planted codes off it."""
    identity = data.components[:, 0]
    autoencoder = GroupCrosscoder(n_features=len(identity), max_epochs=1, random_state=0)
    autoencoder.fit(data.orbits[:, :1])
    autoencoder.encoder_ = np.linalg.pinv(identity).T.astype(np.float32)
    autoencoder.encoder_intercept_ = np.zeros(len(identity), dtype=np.float32)
    autoencoder.threshold_ = 0.5  # planted codes are 1 or more
    autoencoder.components_, autoencoder.intercept_ = identity, np.zeros_like(identity[0])
    return autoencoder


def without_symmetry(orbits, seed=0):
    """Blocks other than the identity from other samples."""
    rng = np.random.default_rng(seed)
    shuffled = orbits.copy()
    for g in range(1, orbits.shape[1]):
        shuffled[:, g] = orbits[rng.permutation(len(orbits)), g]
    return shuffled


@pytest.fixture(scope="module")
def data():
    return planted()


@pytest.fixture(scope="module")
def autoencoder(data):
    return perfect_autoencoder(data)


# --- lifting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [D4, *NON_ABELIAN[2:4]], ids=repr)
def test_a_perfect_autoencoder_lifts_to_the_planted_atoms(group):
    data = planted(1000, group, n_families=3)
    atoms = lift_dictionary(perfect_autoencoder(data), data.orbits, group=group)
    assert atoms.shape == data.components.shape
    np.testing.assert_allclose(atoms, data.components, atol=5e-3)


def test_lifting_is_least_squares_with_an_intercept(data, autoencoder):
    orbits = data.orbits[:300] + 3.0 + np.random.default_rng(0).standard_normal((300, 8, 64))
    codes = autoencoder.encode(orbits[:, 0])
    design = np.column_stack([codes, np.ones(300)])
    solution, *_ = np.linalg.lstsq(design, orbits.reshape(300, -1), rcond=None)
    moments = code_moments(autoencoder, orbits, None)
    found = solve(moments, D4, 1e-9)
    np.testing.assert_allclose(found.atoms.reshape(48, -1), solution[:-1], atol=1e-4)
    np.testing.assert_allclose(found.intercept.ravel(), solution[-1], atol=1e-4)
    np.testing.assert_array_equal(moments.firings, (codes > 0).sum(axis=0))
    residual = orbits.reshape(300, -1) - design @ solution
    total = orbits.reshape(300, -1) - orbits.reshape(300, -1).mean(axis=0)
    expected = 1 - np.square(residual).sum() / np.square(total).sum()
    assert moments.score(found) == pytest.approx(expected, abs=1e-5)


def test_larger_codes_make_smaller_atoms(data, autoencoder):
    scaled = perfect_autoencoder(data)
    sizes = np.random.default_rng(0).uniform(1, 20, (48, 1)).astype(np.float32)
    scaled.encoder_ = scaled.encoder_ * sizes
    scaled.threshold_ = 0.5 * sizes[:, 0]
    before = lift_dictionary(autoencoder, data.orbits, group=D4)
    after = lift_dictionary(scaled, data.orbits, group=D4)
    np.testing.assert_allclose(after * sizes[:, :, None], before, atol=1e-4)


def test_codes_that_always_fire_together_share_and_dead_ones_stay_zero(data):
    doubled = perfect_autoencoder(data)
    doubled.encoder_[1] = doubled.encoder_[0]
    doubled.encoder_[2] = 0
    atoms = lift_dictionary(doubled, data.orbits, group=D4)
    assert np.isfinite(atoms).all()
    assert not atoms[2].any()
    np.testing.assert_allclose(atoms[0], atoms[1], atol=1e-6)
    np.testing.assert_allclose(atoms[0] + atoms[1], data.components[0], atol=0.03)


def test_a_constant_code_belongs_to_the_intercept(data, autoencoder):
    constant = perfect_autoencoder(data)
    constant.encoder_[0], constant.encoder_intercept_[0] = 0, 1
    assert not lift_dictionary(constant, data.orbits, group=D4)[0].any()


def test_a_crosscoder_and_one_of_another_group_can_be_lifted(data):
    for group in (D4, Cyclic(2)):
        crosscoder = GroupCrosscoder(group, 48, max_epochs=1, random_state=0)
        crosscoder.fit(data.orbits[:, : group.order])
        assert lift_dictionary(crosscoder, data.orbits, group=D4).shape == (48, 8, 64)


def test_orbits_may_be_flat_narrow_mapped_or_stored(data, autoencoder, tmp_path, monkeypatch):
    orbits = data.orbits[:200].astype(np.float16)
    expected = lift_dictionary(autoencoder, orbits, group=D4)
    np.save(tmp_path / "orbits.npy", orbits)
    mapped = np.load(tmp_path / "orbits.npy", mmap_mode="r")
    images = [StoredImage(name, name, 100) for name in "ab"]
    store = OrbitStore.create(tmp_path / "a.orbits", group=D4, n_channels=64, images=images)
    with store.writer(0) as writer:
        for image, part in enumerate(np.split(orbits, 2)):
            writer.write(image, part, np.zeros((100, 2)))
    monkeypatch.setattr("sklearn_groupcross.analysis._lift._BYTES_A_BATCH", 8 * 8 * 64 * 7)
    for given_orbits in (orbits, orbits.reshape(200, -1), mapped):
        found = lift_dictionary(autoencoder, given_orbits, group=D4)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(lift_dictionary(autoencoder, store), expected, atol=1e-5)
    # the store names its photographs, too
    table = compare_separation({"a": autoencoder}, store, embedding=False, min_firings=1)
    assert table["n_features"].tolist() == [48]


def test_what_cannot_be_lifted_is_refused(data, autoencoder):
    orbits = data.orbits[:20]
    broken = orbits.copy()
    broken[3, 5, 7] = np.nan
    for bad, options, message in (
        (orbits, {}, "does not name their group"),
        (orbits, {"group": Dihedral(3)}, "8 blocks"),
        (orbits[:, :, :8], {"group": D4}, "same layer"),
        (broken, {"group": D4}, "orbits contains NaN: in rows 3"),
        (orbits[:1], {"group": D4}, "at least two samples"),
        (orbits, {"group": D4, "ridge": 0}, "ridge is positive"),
        (orbits.tolist(), {"group": D4}, "array, memory map or store"),
    ):
        with pytest.raises(ValueError, match=message):
            lift_dictionary(autoencoder, bad, **options)
    with pytest.raises(TypeError, match="Pipeline"):
        lift_dictionary(make_pipeline(autoencoder), orbits, group=D4)
    with pytest.raises(NotFittedError):
        lift_dictionary(GroupCrosscoder(), orbits, group=D4)
    whole = GroupCrosscoder(D4, 4, encoder_input="orbit", max_epochs=1).fit(orbits)
    with pytest.raises(ValueError, match="reads whole orbits"):
        lift_dictionary(whole, orbits)


# --- comparing ---------------------------------------------------------------------------------


@given(st.lists(st.integers(-3, 9), min_size=2, max_size=40), st.integers(0, 5))
def test_halves_share_no_photograph_and_leave_none_out(image_ids, seed):
    image_ids = np.array(image_ids)
    if len(set(image_ids)) < 2:
        image_ids = np.append(image_ids, 99)
    first, second = split_photographs(image_ids, np.random.default_rng(seed))
    assert not set(image_ids[first]) & set(image_ids[second])
    assert sorted([*first, *second]) == list(range(len(image_ids)))
    assert abs(len(set(image_ids[first])) - len(set(image_ids[second]))) <= 1


def test_planted_families_separate_and_shuffled_blocks_do_not(data, autoencoder):
    options = {"image_ids": photographs(1600), "group": D4, "embedding": False}
    options["labels"] = {"planted": data.families}
    found = compare_separation({"planted": autoencoder}, data.orbits, **options).iloc[0]
    assert found["silhouette"] > 0.9
    assert found["silhouette_low"] <= found["silhouette"] <= found["silhouette_high"]
    assert (found["ari"], found["ami"], found["reproducibility"]) == pytest.approx((1, 1, 1))
    assert (found["n_families"], found["share_in_families"]) == (6, 1)
    assert found["explained_variance"] > 0.99
    assert found["l0"] == 4

    shuffled = without_symmetry(data.orbits)
    lost = compare_separation({"planted": autoencoder}, shuffled, **options).iloc[0]
    assert lost["share_in_families"] < 0.2
    assert not lost["silhouette_all"] > 0.1
    assert lost["ari"] < 0.1
    assert lost["explained_variance"] < 0.3


def test_a_trained_crosscoder_separates_and_one_of_shuffled_blocks_does_not():
    data = planted(3000, n_families=3, n_channels=32, noise=0.05)
    settings = {"n_features": 24, "activation": "topk", "k": 4, "max_epochs": 60}
    dictionaries = {
        name: GroupCrosscoder(D4, random_state=0, batch_size=128, **settings).fit(orbits)
        for name, orbits in (
            ("symmetric", data.orbits[:1500]),
            ("shuffled", without_symmetry(data.orbits[:1500])),
        )
    }
    held_out, image_ids = data.orbits[1500:], photographs(1500)
    options = {"image_ids": image_ids, "group": D4, "embedding": False}
    symmetric = compare_separation(dictionaries, held_out, **options)
    assert symmetric["silhouette_all"][0] > 0.5
    lost = compare_separation(dictionaries, without_symmetry(held_out), **options)
    assert not (lost["silhouette_all"] > 0.1).any()
    assert symmetric["n_features"].nunique() == 1


def test_labels_do_not_come_from_the_measured_half(autoencoder, data):
    """Families of noise look well apart to the half that they were formed on, and to no other."""
    rng = np.random.default_rng(0)
    orbits = data.orbits.copy()
    orbits[:, 1:] = 0
    orbits[:, 1:, :2] = 5 * rng.standard_normal((len(orbits), 7, 2))
    image_ids = photographs(len(orbits))
    options = {"group": D4, "embedding": False, "family_distance": 0.5, "ridge": 1e-3}
    honest = compare_separation({"noise": autoencoder}, orbits, image_ids, **options).iloc[0]
    half, _ = split_photographs(image_ids, np.random.default_rng(1))
    atoms = solve(code_moments(autoencoder, orbits, half), D4, 1e-3).atoms
    distances = 1 - best_alignment(_unit(atoms), None, D4, torch.device("cpu"))[0]
    dishonest = separation([distances] * 2, None, None, 0.5, 10, rng)
    assert honest["n_families"] > 2
    assert dishonest["silhouette"] > 0.15
    assert honest["silhouette"] < 0.05
    assert honest["reproducibility"] < 0.1 < dishonest["reproducibility"] == 1


def test_the_map_of_planted_families_separates_them(data, autoencoder):
    row = compare_separation(
        {"planted": autoencoder}, data.orbits, photographs(1600), group=D4, n_features=30
    ).iloc[0]
    assert row["silhouette_map"] > 0.5
    assert row["silhouette_map_low"] <= row["silhouette_map"] <= row["silhouette_map_high"]
    assert row["n_features"] == 30
    assert row["undefined"] == "ari, ami: no labels"


def test_as_many_features_of_every_dictionary_the_most_frequent(data, autoencoder):
    poorer = perfect_autoencoder(data)
    poorer.encoder_[::2] = 0
    dictionaries = {"all": autoencoder, "half": poorer}
    options = {"group": D4, "embedding": False}
    table = compare_separation(dictionaries, data.orbits, photographs(1600), **options)
    assert table["n_available"].tolist() == [48, 24]
    assert table["n_features"].tolist() == [24, 24]
    with pytest.raises(ValueError, match="'half': 24"):
        compare_separation(dictionaries, data.orbits, photographs(1600), n_features=30, **options)


def test_the_ridge_is_the_one_that_explains_most_of_the_other_half(data, autoencoder):
    options = {"group": D4, "embedding": False}

    def explained(orbits, ridge):
        row = compare_separation(
            {"a": autoencoder}, orbits, photographs(len(orbits)), ridge=ridge, min_firings=1,
            **options,
        ).iloc[0]  # fmt: skip
        return row["explained_variance"], row["ridge"]

    few = data.orbits[:160] + np.random.default_rng(0).standard_normal((160, 8, 64))
    for orbits in (data.orbits, few.astype(np.float32)):
        alone = {ridge: explained(orbits, ridge)[0] for ridge in (1e-3, 1.0)}
        best, ridge = explained(orbits, (1e-3, 1.0))
        assert best == pytest.approx(max(alone.values()))
        assert alone[ridge] == pytest.approx(max(alone.values()))
        assert ridge == (1e-3 if orbits is data.orbits else 1.0)


def test_several_family_distances_make_a_row_each(data, autoencoder):
    table = compare_separation(
        {"planted": autoencoder}, data.orbits, photographs(1600), group=D4, embedding=False,
        family_distance=[0.4, 2.0],
    )  # fmt: skip
    assert table["family_distance"].tolist() == [0.4, 2.0]
    one_family = table.iloc[1]
    assert one_family["n_families"] == 1
    assert np.isnan(one_family["silhouette"])
    assert "silhouette: fewer than two families in a half" in one_family["undefined"]


def test_a_feature_alone_counts_zero_and_is_a_neighbour():
    points = np.array([0.0, 0.1, 1.0, 1.1, 5.0])
    distances = np.abs(points[:, None] - points)
    rng = np.random.default_rng(0)
    row = separation([distances] * 2, None, None, 0.2, 10, rng)
    inside = 1 - 0.1 / np.array([1.05, 0.95, 0.95, 1.05])
    assert row["silhouette"] == pytest.approx(inside.mean())
    assert row["silhouette_all"] == pytest.approx(inside.sum() / 5)
    assert row["share_in_families"] == 0.8
    assert np.isnan(row["silhouette_low"])  # two families are too few to draw from
    assert "fewer than 5 families to draw from" in row["undefined"]


def test_unknown_labels_do_not_count(data, autoencoder):
    labels = np.where(np.arange(48) < 24, data.families, -1)
    options = {"group": D4, "embedding": False, "labels": {"planted": labels}}
    row = compare_separation(
        {"planted": autoencoder}, data.orbits, photographs(1600), **options
    ).iloc[0]
    assert row["ari"] == 1
    options["labels"] = {"planted": np.full(48, -1)}
    row = compare_separation(
        {"planted": autoencoder}, data.orbits, photographs(1600), **options
    ).iloc[0]
    assert np.isnan(row["ari"])
    assert "fewer than two features with a label" in row["undefined"]


def test_the_same_seed_gives_the_same_table(data, autoencoder):
    orbits = without_symmetry(data.orbits) + data.orbits
    one, again, other = (
        compare_separation(
            {"planted": autoencoder}, orbits, photographs(1600), group=D4, random_state=seed
        )
        for seed in (0, 0, 1)
    )
    assert one.equals(again)
    assert not one.equals(other)


def test_comparisons_that_make_no_sense_are_refused(data, autoencoder):
    named, ids = {"a": autoencoder}, photographs(1600)
    for dictionaries, image_ids, options, message in (
        ({}, ids, {}, "mapping of names"),
        (autoencoder, ids, {}, "mapping of names"),
        (named, None, {}, "which photograph"),
        (named, ids[1:], {}, "one entry for each of 1600"),
        (named, np.zeros(1600, int), {}, "there is only one"),
        (named, ids, {"family_distance": 3}, "family_distance lies in"),
        (named, ids, {"ridge": ()}, "got none"),
        (named, ids, {"min_firings": 0}, "min_firings is at least 1"),
        (named, ids, {"min_firings": 1000}, "0 features of each dictionary"),
        (named, ids, {"labels": {"b": np.zeros(48, int)}}, "labels are given for 'b'"),
        (named, ids, {"labels": {"a": np.zeros(3, int)}}, "one for each of 48 features"),
    ):
        with pytest.raises(ValueError, match=message):
            compare_separation(dictionaries, data.orbits, image_ids, group=D4, **options)
