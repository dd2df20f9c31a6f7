from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.plotting import TransformBlockDisplay, block_to_rgb

GROUP = Dihedral(4)


def test_transform_block_shows_its_numbers_and_labels_the_halves(analysis):
    display = TransformBlockDisplay.from_estimator(analysis, 2).plot()
    np.testing.assert_array_equal(display.ax_.images[0].get_array(), analysis.transform_blocks(2))
    texts = display.ax_.texts
    labels = [text.get_text() for text in texts]
    assert sorted(labels) == ["mirrored, then turned"] * 2 + ["turned"] * 2
    for text in texts:
        (along,) = {*text.xy} - {-0.5, 7.5}  # the other coordinate is a border
        assert along == (1.5 if text.get_text() == "turned" else 5.5)


def test_groups_without_mirrors_have_no_quadrants():
    display = TransformBlockDisplay.from_arrays(np.eye(6), Cyclic(6)).plot()
    assert not display.ax_.texts


def test_blocks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(8, 8\); got \(3, 3\)"):
        TransformBlockDisplay.from_arrays(np.eye(3), GROUP)


def test_a_block_as_pixels():
    picture = block_to_rgb(np.eye(8))
    assert (picture.shape, picture.dtype) == ((8, 8, 3), np.uint8)
    red, white = picture[0, 0], picture[0, 1]
    assert red[0] > red[2]
    assert white.min() > 240
