"""Copies of a feature in several seeds are one: drawn, and dealt out, together."""

from __future__ import annotations

import numpy as np
import pytest

from examples.reproduction._copies import copies
from examples.reproduction._family_measures import look_at
from examples.reproduction._family_types import Drawn, Types, by_chance, repeated
from examples.reproduction._resampled_features import dealt_out, draws, weighted_auc
from examples.reproduction._statistics import auc


def test_copies_are_connected_by_partners():
    first, second, third = copies(
        {(0, 1): np.array([1, -1]), (1, 2): np.array([-1, 0]), (0, 2): np.array([-1, -1])},
        [2, 2, 1],
    )
    assert first[0] == second[1] == third[0]
    assert len({first[0], first[1], second[0]}) == 3


def test_copies_are_drawn_and_dealt_out_together():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 20, 60)
    drawn = draws(groups, rng, 500)
    assert drawn.mean() == pytest.approx(1, abs=0.05)
    for order in dealt_out(groups, rng, 20):
        assert sorted(order) == list(range(60))
    for group in np.unique(groups):
        assert len(np.unique(groups[order[groups == group]])) == 1
        assert (np.ptp(drawn[:, groups == group], axis=1) == 0).all()


def test_weights_count_as_repetitions():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 9, 50).astype(float), rng.random(50) < 0.4
    weights = rng.integers(0, 3, (4, 50))
    expected = [auc(np.repeat(scores, w), np.repeat(positive, w)) for w in weights]
    np.testing.assert_allclose(weighted_auc(scores, positive, weights), expected)
    own = np.tile(scores, (4, 1))
    np.testing.assert_allclose(weighted_auc(own, positive, weights), expected)
    assert np.isnan(weighted_auc(scores, np.zeros(50, bool), weights)).all()


def test_random_directions_change_as_features_do(study):
    rng = np.random.default_rng(0)
    seeds = look_at([study.crosscoders()[0]] * 2, np.array(study.held_out[:, 0]))
    n_channels = seeds.crosscoders[0].n_channels_
    readings = {
        w: rng.random((112, 4, n_channels), dtype=np.float32) for w in ("naming", "judging")
    }
    directions = rng.standard_normal((300, n_channels))
    # all are named by the first set, whatever it is, and half of them by the other
    judged = rng.integers(0, 2, 300)
    drawn = Drawn(readings, np.full(14, -np.inf), directions, Types(judged, 0 * judged, judged))
    # seeds that are the same have the same copies: what is confirmed is repeated, if named alike
    chance = by_chance(seeds, 0, drawn, rng)
    assert set(chance[judged == 1]) == {-1}
    types = [Types(np.zeros(48, int), np.zeros(48, int), np.zeros(48))] * 2
    live = seeds.live[0]
    np.testing.assert_array_equal(repeated(seeds, types, 0) == 0, live)
