from __future__ import annotations

import numpy as np

from sklearn_groupcross.cli._demo_images import cut_tiles, demo_images


def test_tiles_cover_an_image_side_by_side():
    image = np.arange(7 * 10 * 3).reshape(7, 10, 3)
    tiles = cut_tiles(image, 3)
    assert len(tiles) == 6
    np.testing.assert_array_equal(tiles[4], image[3:6, 3:6])


def test_the_images_of_a_demo_are_the_same_each_time():
    one, another = demo_images("cpu"), demo_images("cpu")
    assert len(one) == 24
    assert all((a == b).all() for a, b in zip(one, another, strict=True))
    assert len({tile.shape for tile in one}) == 1
