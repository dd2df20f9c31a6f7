from __future__ import annotations

import pickle

import numpy as np

from sklearn_groupcross.orbits import ImageSource
from sklearn_groupcross.orbits._image_items import ImageArray, ImageFile, ImageRow

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


def test_a_row_of_a_file_an_array_and_a_file_are_read_alike(tmp_path):
    np.save(tmp_path / "all.npy", IMAGES)
    np.save(tmp_path / "one.npy", IMAGES[1])
    items = (
        ImageRow(tmp_path / "all.npy", 1),
        ImageArray(IMAGES[1], 1),
        ImageFile(tmp_path / "one.npy"),
    )
    for item in items:
        np.testing.assert_array_equal(np.asarray(item.read(3)), IMAGES[1])
    assert [item.name for item in items] == ["all.npy[1]", "image 1", "one.npy"]
    assert [str(item) for item in items] == [
        f"{tmp_path / 'all.npy'}[1]",
        "image 1",
        str(tmp_path / "one.npy"),
    ]
    assert items[0].digest() == items[1].digest() != items[2].digest()


def test_a_row_travels_as_its_place(tmp_path):
    """Not with its pixels: worker processes open the file themselves."""
    np.save(tmp_path / "all.npy", np.zeros((50, 64, 64, 3), np.uint8))
    assert len(pickle.dumps(ImageSource(tmp_path / "all.npy"))) < 10_000


def test_arrays_keep_their_numbers_in_selections():
    source = ImageSource(IMAGES)[[2, 0]]
    assert [source.name(i) for i in range(2)] == ["image 2", "image 0"]
