from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from sklearn_groupcross.analysis._data_signatures import (
    find_poor_reconstruction,
    find_unequal_blocks,
    predict_by_ridge,
)


def test_reconstruction_is_held_against_a_linear_map():
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((8, 5, 5))
    orbits = (rng.standard_normal((200, 1, 1, 5)) @ maps)[:, :, 0]
    mean = np.broadcast_to(orbits.mean(axis=0), orbits.shape)
    assert find_poor_reconstruction(orbits, mean).limit == pytest.approx(0.5, abs=0.01)
    assert find_poor_reconstruction(orbits, 0.9 * orbits) is None
    noise = rng.standard_normal(orbits.shape)  # where nothing predicts, a mean is the limit
    assert find_poor_reconstruction(noise, 0.5 * noise) is None
    assert find_poor_reconstruction(noise, -noise).value < 0


@pytest.mark.parametrize(("n", "d"), [(100, 20), (50, 80)])
def test_the_linear_map_is_that_of_scikit_learn(n, d):
    rng = np.random.default_rng(d)
    inputs = rng.standard_normal((2 * n, d)) * np.logspace(0, -2, d) + 5
    targets = inputs @ rng.standard_normal((d, 30)) + rng.standard_normal((2 * n, 30))
    penalties = np.logspace(-4, 3, 8)
    expected = RidgeCV(alphas=penalties).fit(inputs[:n], targets[:n])
    assert penalties[0] < expected.alpha_ < penalties[-1]
    found = predict_by_ridge(inputs[:n], targets[:n], inputs[n:], penalties)
    np.testing.assert_allclose(found, expected.predict(inputs[n:]), rtol=1e-9)


def test_few_samples_are_given_the_benefit_of_the_doubt():
    orbits = np.random.default_rng(1).standard_normal((4, 8, 2))
    norms = np.linalg.norm(orbits, axis=2).mean(axis=0)
    assert np.abs(norms / norms.mean() - 1).max() > 0.05
    assert find_unequal_blocks(orbits) is None
    assert find_unequal_blocks(np.zeros((4, 8, 2))) is None
