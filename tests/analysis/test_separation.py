from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross import Dihedral, GroupCrosscoder
from sklearn_groupcross.analysis import compare_separation
from sklearn_groupcross.analysis._code_moments import code_moments
from sklearn_groupcross.analysis._family_separation import separation
from sklearn_groupcross.analysis._leaving_out import split_images
from sklearn_groupcross.analysis._lift import solve
from sklearn_groupcross.analysis._separation import _unit
from sklearn_groupcross.analysis._similarity import best_alignment
from tests.analysis.planted import free_families, perfect_autoencoder

D4 = Dihedral(4)


def image_numbers(n_samples, positions=10):
    return np.arange(n_samples) // positions


def without_symmetry(orbits, seed=0):
    """Blocks other than the identity from other samples."""
    rng = np.random.default_rng(seed)
    shuffled = orbits.copy()
    for g in range(1, orbits.shape[1]):
        shuffled[:, g] = orbits[rng.permutation(len(orbits)), g]
    return shuffled


def test_planted_families_separate_and_shuffled_blocks_do_not(data, autoencoder):
    options = {"image_ids": image_numbers(1600), "group": D4, "embedding": False}
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
    data = free_families(3000, n_families=3, n_channels=32, noise=0.05)
    settings = {"n_features": 24, "activation": "topk", "k": 4, "max_epochs": 60}
    dictionaries = {
        name: GroupCrosscoder(D4, random_state=0, batch_size=128, **settings).fit(orbits)
        for name, orbits in (
            ("symmetric", data.orbits[:1500]),
            ("shuffled", without_symmetry(data.orbits[:1500])),
        )
    }
    held_out, image_ids = data.orbits[1500:], image_numbers(1500)
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
    image_ids = image_numbers(len(orbits))
    options = {"group": D4, "embedding": False, "family_distance": 0.5, "ridge": 1e-3}
    honest = compare_separation({"noise": autoencoder}, orbits, image_ids, **options).iloc[0]
    half, _ = split_images(image_ids, np.random.default_rng(1))
    atoms = solve(code_moments(autoencoder, orbits, half), D4, 1e-3).atoms
    distances = 1 - best_alignment(_unit(atoms), None, D4, torch.device("cpu"))[0]
    dishonest = separation([distances] * 2, None, None, 0.5, 10, rng)
    assert honest["n_families"] > 2
    assert dishonest["silhouette"] > 0.15
    assert honest["silhouette"] < 0.05
    assert honest["reproducibility"] < 0.1 < dishonest["reproducibility"] == 1


def test_the_map_of_planted_families_separates_them(data, autoencoder):
    row = compare_separation(
        {"planted": autoencoder}, data.orbits, image_numbers(1600), group=D4, n_features=30
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
    table = compare_separation(dictionaries, data.orbits, image_numbers(1600), **options)
    assert table["n_available"].tolist() == [48, 24]
    assert table["n_features"].tolist() == [24, 24]
    with pytest.raises(ValueError, match="'half': 24"):
        compare_separation(dictionaries, data.orbits, image_numbers(1600), n_features=30, **options)


def test_the_ridge_is_the_one_that_explains_most_of_the_other_half(data, autoencoder):
    options = {"group": D4, "embedding": False}

    def explained(orbits, ridge):
        row = compare_separation(
            {"a": autoencoder}, orbits, image_numbers(len(orbits)), ridge=ridge, min_firings=1,
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
        {"planted": autoencoder}, data.orbits, image_numbers(1600), group=D4, embedding=False,
        family_distance=[0.4, 2.0],
    )  # fmt: skip
    assert table["family_distance"].tolist() == [0.4, 2.0]
    one_family = table.iloc[1]
    assert one_family["n_families"] == 1
    assert np.isnan(one_family["silhouette"])
    assert "silhouette: fewer than two families in a half" in one_family["undefined"]


def test_leaving_groups_out_measures_what_remains(data, autoencoder):
    images = image_numbers(1600)
    groups = images % 4
    options = {"group": D4, "embedding": False, "ridge": 0.1, "min_firings": 1}
    orbits = without_symmetry(data.orbits) + 2 * data.orbits
    named = {"planted": autoencoder}
    plain = compare_separation(named, orbits, images, **options)
    table = compare_separation(named, orbits, images, leave_out=groups, **options)
    assert table["left_out"].tolist() == pytest.approx([np.nan, 0, 1, 2, 3], nan_ok=True)
    measured = ["silhouette", "silhouette_all", "share_in_families", "explained_variance"]
    np.testing.assert_allclose(table.loc[[0], measured], plain[measured], rtol=1e-5)
    halves = split_images(images, np.random.default_rng(_seed_of(0)))
    distances = []
    for half in halves:
        kept = half[groups[half] != 2]
        atoms = solve(code_moments(autoencoder, orbits, kept), D4, 0.1).atoms
        distances.append(1 - best_alignment(_unit(atoms), None, D4, torch.device("cpu"))[0])
    expected = separation(distances, None, None, 0.4, 10, np.random.default_rng(0))
    assert table["silhouette_all"][3] == pytest.approx(expected["silhouette_all"], rel=1e-4)
    assert table["silhouette_all"].nunique() == 5


def _seed_of(random_state):
    return int(np.random.RandomState(random_state).randint(2**31 - 1))


def test_unknown_labels_do_not_count(data, autoencoder):
    labels = np.where(np.arange(48) < 24, data.families, -1)
    options = {"group": D4, "embedding": False, "labels": {"planted": labels}}
    row = compare_separation(
        {"planted": autoencoder}, data.orbits, image_numbers(1600), **options
    ).iloc[0]
    assert row["ari"] == 1
    options["labels"] = {"planted": np.full(48, -1)}
    row = compare_separation(
        {"planted": autoencoder}, data.orbits, image_numbers(1600), **options
    ).iloc[0]
    assert np.isnan(row["ari"])
    assert "fewer than two features with a label" in row["undefined"]


def test_the_same_seed_gives_the_same_table(data, autoencoder):
    orbits = without_symmetry(data.orbits) + data.orbits
    one, again, other = (
        compare_separation(
            {"planted": autoencoder}, orbits, image_numbers(1600), group=D4, random_state=seed
        )
        for seed in (0, 0, 1)
    )
    assert one.equals(again)
    assert not one.equals(other)


def test_comparisons_that_make_no_sense_are_refused(data, autoencoder):
    named, ids = {"a": autoencoder}, image_numbers(1600)
    for dictionaries, image_ids, options, message in (
        ({}, ids, {}, "mapping of names"),
        (autoencoder, ids, {}, "mapping of names"),
        (named, None, {}, "which image"),
        (named, ids[1:], {}, "image of each of the 1600"),
        (named, np.zeros(1600, int), {}, "there is only one"),
        (named, ids, {"family_distance": 3}, "family_distance lies in"),
        (named, ids, {"ridge": ()}, "got none"),
        (named, ids, {"min_firings": 0}, "min_firings is at least 1"),
        (named, ids, {"min_firings": 1000}, "0 features of each dictionary"),
        (named, ids, {"leave_out": ids[1:]}, "group of each of 1600"),
        (named, ids, {"leave_out": np.zeros(1600, int)}, "names one group"),
        (named, ids, {"labels": {"b": np.zeros(48, int)}}, "labels are given for 'b'"),
        (named, ids, {"labels": {"a": np.zeros(3, int)}}, "one for each of 48 features"),
    ):
        with pytest.raises(ValueError, match=message):
            compare_separation(dictionaries, data.orbits, image_ids, group=D4, **options)
