from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.analysis._data_signatures import (
    find_poor_reconstruction,
    find_unequal_blocks,
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


def test_few_samples_are_given_the_benefit_of_the_doubt():
    orbits = np.random.default_rng(1).standard_normal((4, 8, 2))
    norms = np.linalg.norm(orbits, axis=2).mean(axis=0)
    assert np.abs(norms / norms.mean() - 1).max() > 0.05
    assert find_unequal_blocks(orbits) is None
    assert find_unequal_blocks(np.zeros((4, 8, 2))) is None
