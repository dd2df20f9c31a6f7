from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.report._drawing import draw_image, draw_points, draw_signal, resized


def darkest_rows(picture):
    """For every column that holds something, the row in the middle of what is dark there."""
    dark = picture.min(axis=2) < 200
    return [int(np.flatnonzero(column).mean()) for column in dark.T if column.any()]


def test_a_signal_goes_from_its_lowest_to_its_highest_value():
    rows = darkest_rows(draw_signal(np.linspace(-3, 5, 40), 96))
    assert np.all(np.diff(rows) <= 0)  # upwards
    assert rows[0] > 85
    assert rows[-1] < 11


def test_channels_have_colors_of_their_own_and_constants_are_flat():
    picture = draw_signal(np.stack([np.zeros(20), np.ones(20)]), 96).astype(int)
    of_low, of_high = picture[90], picture[5]
    assert np.abs(of_low[48] - of_high[48]).max() > 50
    assert len(set(darkest_rows(draw_signal(np.full(20, 7.0), 96)))) == 1


@pytest.mark.parametrize("n_axes", [2, 3])
def test_points_lie_where_they_are(n_axes):
    points = np.zeros((4, n_axes))
    points[:, 0], points[:, 1] = [-1, 1, 1, -1], [-1, -1, 1, 1]
    points[3] *= 0.2  # the upper left one is near the middle
    picture = draw_points(points, 96)
    dark = picture.min(axis=2) < 200
    quarters = [dark[:30, :30], dark[:30, 66:], dark[66:, :30], dark[66:, 66:]]
    assert [bool(quarter.any()) for quarter in quarters] == [False, True, True, True]


def test_images_keep_their_pixels_and_scale():
    image = np.array([[0.0, 1.0], [1.0, 0.0]])
    picture = draw_image(image, 64)
    assert picture.shape == (64, 64, 3)
    assert picture[5, 5].tolist() == [0, 0, 0]
    assert picture[5, 60].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(draw_image(10 * image - 5, 64), picture)
    # in [0, 1] a dark image stays dark
    assert draw_image(0.5 * image, 64).max() == 128
    assert draw_image(np.full((2, 8, 8), 3.0), 32).shape == (32, 32, 3)


def test_pictures_are_scaled_to_bytes():
    flat = np.full((100, 80, 3), 0.25, dtype=np.float32)
    assert (resized(flat, 64) == 64).all()
