from __future__ import annotations

import numpy as np

from sklearn_groupcross.report import _strongest
from sklearn_groupcross.report._strongest import strongest_blocks


def test_the_strongest_block_of_every_orbit(small_crosscoder, orbits, monkeypatch):
    features = [5, 0, 7]
    n, order, n_channels = orbits.shape
    codes = small_crosscoder.encode(orbits.reshape(-1, n_channels)).reshape(n, order, -1)
    found = strongest_blocks(small_crosscoder, orbits, features)
    np.testing.assert_array_equal(found.rows, np.arange(n))
    np.testing.assert_allclose(found.codes, codes.max(axis=1)[:, features], atol=1e-6)
    np.testing.assert_array_equal(found.blocks, codes.argmax(axis=1)[:, features])
    monkeypatch.setattr(_strongest, "_BYTES_OF_CODES", 1)  # an orbit at a time
    monkeypatch.setattr(_strongest, "_MAX_ORBITS", 7)
    few = strongest_blocks(small_crosscoder, orbits, features)
    assert len(few.rows) == 7
    assert few.rows[-1] == n - 1
    np.testing.assert_allclose(few.codes, found.codes[few.rows], atol=1e-6)
    np.testing.assert_array_equal(few.blocks, found.blocks[few.rows])


def test_of_no_feature_there_is_nothing(small_crosscoder, orbits):
    assert strongest_blocks(small_crosscoder, orbits, []).codes.shape == (len(orbits), 0)
