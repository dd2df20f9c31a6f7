"""Where a run starts: in which units, and from which directions."""

from __future__ import annotations

import numpy as np
import pytest

from .small_fits import small, small_orbits


@pytest.fixture(scope="module")
def orbits():
    return small_orbits()


def test_atoms_start_there(orbits):
    start = np.random.default_rng(0).standard_normal((7, 6, 8))
    crosscoder = small(n_features=None, dict_init=start, learning_rate=1e-9).fit(orbits)
    atoms = crosscoder.components_ / np.linalg.norm(crosscoder.components_, axis=1)[:, None]
    flat = start.reshape(7, 48)
    expected = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    np.testing.assert_allclose(atoms, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (np.ones((12, 47)), r"of shape \(12, 48\)"),
        (np.ones((11, 48)), "dict_init has 11 atoms; n_features=12"),
        (np.eye(12, 48) - np.eye(12, 48)[[0]], "atoms that are zero"),
        (np.full((12, 48), np.nan), "must be finite"),
    ],
)
def test_bad_starts_are_refused(orbits, start, message):
    with pytest.raises(ValueError, match=message):
        small(dict_init=start).fit(orbits)
