"""Features kept and taken out, and what is said of class scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from examples.reproduction._ablation import (
    Ablations,
    draw_alike,
    random_turn,
    read_maps,
    rest_of,
    scores_of,
    whole_units,
)
from examples.reproduction._class_effects import Changes, over_both
from examples.reproduction._faithfulness_tables import Ablated, classes_table
from examples.reproduction._statistics import over_seeds


@pytest.fixture(scope="module")
def ablations(study):
    photographs = study.parts["held_out"]
    layer = study.config["layer"]
    maps = read_maps(study.network, layer, photographs)
    whole = whole_units(study.network, layer)
    return Ablations(study.crosscoders()[0], maps, rest_of(study.network, layer), whole)


def test_units_that_see_padding_are_left_as_they_are(ablations):
    whole, maps = ablations.whole[..., 0], ablations.maps
    assert whole.any()
    assert not whole.all()
    part, codes = ablations._parts()[0], ablations._codes[0]
    kept = ablations._kept(codes, np.arange(len(ablations.atoms)), part)
    np.testing.assert_array_equal(kept[:, ~whole], part[:, ~whole])
    assert np.abs(kept - part)[:, whole].mean() > 0
    means = ablations.means()
    np.testing.assert_array_equal(means[:, ~whole], maps[:, ~whole])
    np.testing.assert_allclose(
        means[0][whole], np.tile(maps[:, whole].mean(axis=(0, 1)), (whole.sum(), 1)), rtol=1e-4
    )


def test_whole_units_have_fields_within_the_image(study):
    layer = study.config["layer"]
    whole = whole_units(study.network, layer)
    maps = study.network.activations(torch.zeros(1, 3, 96, 96), layer)
    assert whole.shape == tuple(maps.shape[2:])
    assert not whole[0].any()
    assert whole[len(whole) // 2, len(whole) // 2]
    np.testing.assert_array_equal(whole, whole.T)


def test_the_rest_of_the_network_is_the_rest_of_it(study):
    images = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    maps = study.network.activations(images, "relu3").permute(0, 2, 3, 1).numpy()
    found = scores_of(maps, rest_of(study.network, "relu3"))
    torch.testing.assert_close(torch.from_numpy(found), study.network.run(images))


def test_kept_and_taken_out(ablations):
    every, some = np.arange(len(ablations.atoms)), np.array([3, 7, 11])
    none = some[:0]
    original = scores_of(ablations.maps, ablations.rest)
    np.testing.assert_allclose(ablations.take_out(none), original, atol=1e-4)
    turn = random_turn(ablations.atoms.shape[1], np.random.default_rng(0))
    np.testing.assert_allclose(turn @ turn.T, np.eye(len(turn)), atol=1e-5)
    assert np.abs(ablations.take_out(every, turn) - ablations.take_out(every)).max() > 0.1
    assert ablations.energy(none) == 0
    assert ablations.explained(every) > ablations.explained(some)
    # all that is kept is what is taken out: together they are the map and what is unexplained
    kept = np.concatenate(
        [ablations._kept(codes, every, part) for part, codes in zip(
            ablations._parts(), ablations._codes, strict=True)]
    )  # fmt: skip
    added = (kept - ablations.bias)[:, ablations.whole[..., 0]]
    energy = np.square(added).sum(axis=-1, dtype=float).mean()
    assert ablations.energy(every) == pytest.approx(energy, rel=1e-4)


def test_sets_are_as_large_and_as_strong():
    rng = np.random.default_rng(0)
    parts = rng.standard_normal((60, 200)) * rng.exponential(size=(60, 1))
    shared = parts @ parts.T
    members = np.array([1, 5, 8, 20])
    candidates = np.setdiff1d(np.arange(60), members)
    draws = [draw_alike(shared, members, candidates, rng, 0.02) for _ in range(5)]
    assert len({tuple(drawn) for drawn, _ in draws}) > 1
    for drawn, deviation in draws:
        assert deviation <= 0.02
        assert len(set(drawn)) == 4
        assert not set(drawn) & set(members)
        assert shared[np.ix_(drawn, drawn)].sum() == pytest.approx(
            shared[np.ix_(members, members)].sum(), rel=0.02
        )


def test_classes_that_are_hit():
    rng = np.random.default_rng(0)
    original = rng.standard_normal((40, 200))
    changes = Changes(original, rng, 50, worst=0.05)
    noise = original + 0.1 * rng.standard_normal(original.shape)
    hit = noise.copy()
    hit[:, :10] -= 1
    by_chance, found = changes.summary(noise), changes.summary(hit)
    assert abs(by_chance["worst"][0]) < 0.02  # chosen on other photographs
    assert found["worst"][0] == pytest.approx(0.95, abs=0.03)  # less the mean of all
    assert found["share"][0] > 0.5 > abs(by_chance["share"][0])
    assert found["worst"].shape == (51,)
    assert changes.summary(original)["kl"] == pytest.approx(0)
    assert (found["kl"] > by_chance["kl"]).all()


def test_sets_that_cannot_be_as_strong_say_so():
    shared = np.diag([100.0, 1, 1, 1])
    drawn, deviation = draw_alike(
        shared, np.array([0]), np.arange(1, 4), np.random.default_rng(0), 0.02
    )
    assert len(drawn) == 1
    assert deviation == pytest.approx(0.99)


def test_intervals_are_over_seeds_and_photographs():
    narrow = np.tile([[1.0], [1.1], [0.9]], 21)
    assert over_both(narrow, 0.95) == pytest.approx(over_seeds([1, 1.1, 0.9], 0.95))
    wide = narrow + np.concatenate([[0], np.linspace(-3, 3, 20)])
    assert over_both(wide, 0.95).low < -1
    assert over_both(wide, 0.5).low > over_both(wide, 0.95).low
    assert np.isnan(over_both(np.empty((0, 5)), 0.95).value)


def test_a_resample_that_is_undefined_leaves_no_interval():
    values = np.tile([[1.0], [1.1], [0.9]], 21)
    values[0, 7] = np.nan
    estimate = over_both(values, 0.95)
    assert estimate.value == pytest.approx(1)
    assert np.isnan([estimate.low, estimate.high]).all()


def test_classes_are_chosen_on_other_photographs_than_shown():
    rng = np.random.default_rng(0)
    changes = Changes(rng.standard_normal((60, 200)), rng, 50, worst=0.05)
    noise = rng.standard_normal((60, 200))
    row = {"family": "seed0-0", "kind": "line", "energy": 1.0}
    names = [str(i) for i in range(200)]
    table = classes_table([Ablated(row, {}, noise, noise)], changes, names, 40, 0.95)
    # on the photographs that they are chosen on it would be 0.2
    assert abs(table["drop_value"].mean()) < 0.06
    np.testing.assert_allclose(table["drop_value"], table["random_drop"])
