from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.plotting import as_rgb


def test_three_channels_are_what_they_are():
    image = np.random.default_rng(0).random((4, 5, 3), dtype=np.float32)
    np.testing.assert_array_equal(as_rgb(image), image)
    np.testing.assert_array_equal(as_rgb(3 * image - 1), (3 * image - 1).clip(0, 1))


@pytest.mark.parametrize("n_channels", [1, 2, 4, 5, 12])
def test_others_are_white_where_all_are_one_and_each_has_a_color(n_channels):
    np.testing.assert_allclose(as_rgb(np.ones((2, n_channels))), 1, atol=1e-6)
    np.testing.assert_array_equal(as_rgb(np.zeros((2, n_channels))), 0)
    colors = as_rgb(np.eye(n_channels))
    assert len(np.unique(colors.round(4), axis=0)) == n_channels
    # what lies between channels lies between their colors
    mixed = as_rgb(np.full((1, n_channels), 0.25))
    np.testing.assert_allclose(mixed, 0.25, atol=1e-6)
