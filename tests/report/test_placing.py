from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross import Cyclic
from sklearn_groupcross.actions import TimeShiftAction
from sklearn_groupcross.report import _placing
from sklearn_groupcross.report._kept import Kept
from sklearn_groupcross.report._packing import Atlas
from sklearn_groupcross.report._pictures import Inputs, NoPictures, Patches
from sklearn_groupcross.report._placing import place_pictures

# Of three features, two of which share an image, and one of which has fewer inputs.
SAMPLES = np.array([[50, 3, 70], [90, -1, -1], [4, 51, 20]])
ELEMENTS = np.array([[2, 0, 5], [1, -1, -1], [7, 2, 2]])
FOUND = {"samples": SAMPLES, "elements": ELEMENTS}


class Counting(Patches):
    """Notes what is asked for."""

    def of(self, samples, elements):
        self.asked = [*getattr(self, "asked", []), *zip(samples, elements, strict=True)]
        return super().of(samples, elements)


def place(pictures, drawn, dataset, kept=None):
    atlas = Atlas("pictures", pictures.tile, lossless=True)
    ids = np.zeros(100, int) if dataset is None else dataset.image_ids
    group = Cyclic(8) if dataset is None else dataset.group
    kept = Kept(None) if kept is None else kept
    return place_pictures(FOUND, drawn, group, pictures, ids, atlas, kept), atlas


def tile(atlas, number):
    sheet, place = divmod(int(number), atlas.columns**2)
    image = np.asarray(Image.open(io.BytesIO(atlas.files()[sheet])))
    down, across = (atlas.tile * i for i in divmod(place, atlas.columns))
    return image[down : down + atlas.tile, across : across + atlas.tile]


@pytest.mark.parametrize(("features", "together"), [(1024, 128), (2, 2)])
def test_every_picture_is_in_its_place(small_dataset, monkeypatch, features, together):
    monkeypatch.setattr(_placing, "_FEATURES", features)
    monkeypatch.setattr(_placing, "_PICTURES", together)
    pictures = Patches(small_dataset)
    places, atlas = place(pictures, [0], small_dataset)
    assert places.pictures.tolist() == [[0, 1, 2], [3, -1, -1], [4, 5, 6]]
    np.testing.assert_array_equal(places.views, places.pictures[:, :1])
    for at, number in np.ndenumerate(places.pictures):
        if number >= 0:
            (alone,) = pictures.of([SAMPLES[at]], [ELEMENTS[at]])
            np.testing.assert_array_equal(tile(atlas, number), alone)


def test_the_strongest_is_drawn_under_elements(small_dataset):
    pictures, table = Patches(small_dataset), small_dataset.group.cayley_table
    places, atlas = place(pictures, [3, 5], small_dataset)
    assert places.views.tolist() == [[3, 4], [6, 7], [11, 12]]
    for row, numbers in enumerate(places.views):
        for h, number in zip([3, 5], numbers, strict=True):
            (expected,) = pictures.of([SAMPLES[row, 0]], [table[h, ELEMENTS[row, 0]]])
            np.testing.assert_array_equal(tile(atlas, number), expected)


def test_pictures_are_asked_for_by_image_and_kept(small_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(_placing, "_PICTURES", 3)
    first, second = Counting(small_dataset), Counting(small_dataset)
    places, atlas = place(first, [0], small_dataset, Kept(tmp_path / "kept"))
    again, same = place(second, [0], small_dataset, Kept(tmp_path / "kept"))
    images = small_dataset.image_ids[[sample for sample, _ in first.asked]].tolist()
    assert images == sorted(images)
    assert not hasattr(second, "asked")
    np.testing.assert_array_equal(again.pictures, places.pictures)
    assert same.files() == atlas.files()


def test_of_what_has_no_pictures_there_are_none(small_dataset):
    places, atlas = place(NoPictures(), [0, 3], small_dataset)
    assert (places.pictures == -1).all()
    assert places.views.shape == (3, 2)
    assert (places.views == -1).all()
    assert len(atlas) == 0


def test_an_input_is_drawn_as_the_action_has_it(monkeypatch):
    signals = np.random.default_rng(0).standard_normal((100, 16)).astype(np.float32)
    action = TimeShiftAction(Cyclic(8))
    transformed, at_once = action.transform, []

    def noted(inputs):
        at_once.append(len(inputs))
        return transformed(inputs)

    monkeypatch.setattr(action, "transform", noted)
    pictures = Inputs(signals, action, 100)
    places, atlas = place(pictures, [0, 4], None)
    assert max(at_once) <= 8  # of large inputs, all elements of many are too much
    (expected,) = pictures.of([50], [(2 + 4) % 8])
    np.testing.assert_array_equal(tile(atlas, places.views[0, 1]), expected)
