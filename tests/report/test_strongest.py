from __future__ import annotations

import numpy as np

from sklearn_groupcross.report import _codes, _strongest
from sklearn_groupcross.report._strongest import strongest_blocks


def test_the_strongest_block_of_every_orbit(small_crosscoder, orbits, monkeypatch):
    features = [5, 0, 7]
    n, order, n_channels = orbits.shape
    codes = small_crosscoder.encode(orbits.reshape(-1, n_channels)).reshape(n, order, -1)
    found = strongest_blocks(small_crosscoder, orbits, features)
    np.testing.assert_array_equal(found.rows, np.arange(n))
    np.testing.assert_allclose(found.codes, codes.max(axis=1)[:, features], atol=1e-6)
    np.testing.assert_array_equal(found.blocks, codes.argmax(axis=1)[:, features])
    assert found.blocks.itemsize == 1
    monkeypatch.setattr(_codes, "_BYTES", 1)  # an orbit at a time
    monkeypatch.setattr(_strongest, "_MAX_ORBITS", 7)
    few = strongest_blocks(small_crosscoder, orbits, features)
    assert len(few.rows) == 7
    assert few.rows[-1] == n - 1
    np.testing.assert_allclose(few.codes, found.codes[few.rows], atol=1e-6)
    np.testing.assert_array_equal(few.blocks, found.blocks[few.rows])


def test_of_no_feature_there_is_nothing(small_crosscoder, orbits):
    assert strongest_blocks(small_crosscoder, orbits, []).codes.shape == (len(orbits), 0)


def test_of_equal_blocks_the_first_is_taken(small_crosscoder, orbits):
    invariant = np.repeat(orbits[:, :1], orbits.shape[1], axis=1)
    assert not strongest_blocks(small_crosscoder, invariant, list(range(24))).blocks.any()


def test_inputs_that_are_not_transformed_are_looked_at_as_they_are(small_crosscoder, orbits):
    found = strongest_blocks(small_crosscoder, orbits, [3, 1], transformed=False)
    codes = small_crosscoder.transform(orbits)
    np.testing.assert_allclose(found.codes, codes[:, [3, 1]], atol=1e-6)
    assert not found.blocks.any()
