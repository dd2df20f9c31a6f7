from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sklearn_groupcross import Cyclic, Dihedral, OrbitDataset
from sklearn_groupcross.actions import HueAction, ImageAction, TimeShiftAction
from sklearn_groupcross.plotting import as_rgb
from sklearn_groupcross.report._drawing import draw_signal, resized
from sklearn_groupcross.report._pictures import (
    DRAWN_PIXELS,
    N_CELLS,
    Inputs,
    NoPictures,
    Patches,
    turned_by_css,
)

SIGNALS = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)


def as_css(picture, transform):
    """A picture as a browser transforms it, for turns by quarters."""
    image = Image.fromarray(picture)
    for part in reversed(transform.split()):
        if part == "scaleX(-1)":
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        else:  # clockwise
            image = image.rotate(-float(part.removeprefix("rotate(").removesuffix("deg)")))
    return np.asarray(image)


def test_patches_are_pictures_of_what_samples_look_at(small_dataset):
    pictures = Patches(small_dataset)
    (first,) = pictures.of([0], [0])
    expected = small_dataset.patches([0])[0, 0].mean((0, 1))
    np.testing.assert_allclose(first.mean((0, 1)) / 255, expected, atol=0.05)
    views = pictures.of([0, 0], [0, 3])
    np.testing.assert_array_equal(views[0], first)
    assert (views[1] != first).any()
    assert pictures.name_of(0) == small_dataset.images.name(0)
    assert pictures.is_round


def test_many_patches_are_those_of_each_alone_and_an_image_is_decoded_once(
    small_dataset, monkeypatch
):
    pictures = Patches(small_dataset)
    samples, elements = [3, 40, 4, 3, 41, 3], [0, 3, 3, 6, 3, 0]
    alone = [
        resized(as_rgb(small_dataset.patches([sample], elements=[element])[0, 0]), 64)
        for sample, element in zip(samples, elements, strict=True)
    ]
    load, loaded = small_dataset.images.load, []

    def noted(index, size):
        loaded.append(index)
        return load(index, size)

    monkeypatch.setattr(small_dataset.images, "load", noted)
    np.testing.assert_array_equal(pictures.of(samples, elements), alone)
    assert sorted(loaded) == sorted(set(small_dataset.image_ids[samples]))


@pytest.mark.parametrize("element", range(8))
def test_css_shows_what_the_action_does(small_dataset, element):
    pictures = Patches(small_dataset)
    drawn, transform = pictures.by_css(element)
    (still,), (moved,) = pictures.of([0], [drawn]), pictures.of([0], [element])
    # turns by quarters are exact, up to the pixels that scaling moves
    found = as_css(still, transform).astype(float)
    assert np.abs(found - moved).mean() < 4
    wrong = min(np.abs(as_css(still, t) - moved.astype(float)).mean() for t in others(element))
    assert wrong > 2 * np.abs(found - moved).mean()


def others(element):
    return [turned_by_css(Dihedral(4), g) for g in range(8) if g != element]


def test_hues_are_drawn_and_turns_left_to_css(small_network, smooth_images):
    for action in (
        ImageAction(Cyclic(4)) * HueAction(3),
        HueAction(3) * ImageAction(Cyclic(4)),
    ):
        dataset = OrbitDataset(smooth_images, network=small_network, action=action, n_positions=4)
        pictures = Patches(dataset)
        for element in range(12):
            drawn, transform = pictures.by_css(element)
            (still,), (moved,) = pictures.of([0], [drawn]), pictures.of([0], [element])
            assert np.abs(as_css(still, transform).astype(float) - moved).mean() < 4
        assert len({pictures.by_css(element)[0] for element in range(12)}) == 3


@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_patches_of_any_number_of_channels_are_pictures(n_channels):
    class Deep:
        image_ids = np.zeros(1, dtype=np.int64)

        def patches(self, samples, *, elements=None):
            return np.full((1, 1, 9, 9, n_channels), 0.5, dtype=np.float32)

    pictures = Patches(Deep())
    (picture,) = pictures.of([0], [0])
    assert picture.shape == (64, 64, 3)
    assert abs(picture.astype(int) - 128).max() <= 2
    # where nothing is known of the action, each view is drawn
    assert pictures.by_css(3) == (3, "")
    assert pictures.around([0], [0]) is None
    assert pictures.name_of(0) == ""


def test_the_middle_of_what_is_around_is_the_block(small_dataset, orbits):
    samples, elements = [0, 50, 90], [0, 3, 6]
    around = Patches(small_dataset).around(samples, elements)
    assert around.shape == (3, N_CELLS, N_CELLS, orbits.shape[2])
    middle = around[:, N_CELLS // 2, N_CELLS // 2]
    blocks = np.stack([orbits[s, e] for s, e in zip(samples, elements, strict=True)])
    # orbits interpolate between units, and the map takes the nearest
    for own, block in zip(middle, blocks, strict=True):
        assert np.corrcoef(own, block)[0, 1] > 0.9


def test_a_transformed_signal_is_shown_as_the_action_has_it():
    action = TimeShiftAction(Cyclic(4))
    views = Inputs(SIGNALS, action, 5).of([1, 1], [0, 3])
    expected = [SIGNALS[1], np.roll(SIGNALS[1], 6)]
    for view, signal in zip(views, expected, strict=True):
        np.testing.assert_array_equal(view, draw_signal(signal, DRAWN_PIXELS))


def test_an_input_without_an_action_is_shown_as_it_is_alone():
    pictures = Inputs(SIGNALS, None, 5)
    assert not pictures.shows_transformed
    assert pictures.of([1, 1], [0, 3]) == []
    shown = pictures.of([2], [0])
    np.testing.assert_array_equal(shown[0], draw_signal(SIGNALS[2], DRAWN_PIXELS))


@pytest.mark.parametrize(
    ("inputs", "draw", "noun"),
    [
        (torch.zeros(5, 2, 8), "signals", "signal"),
        (np.random.default_rng(0).random((5, 7, 3)), "points", "cloud"),
        (np.random.default_rng(0).random((5, 8, 8)), "images", "image"),
        (np.zeros((5, 3, 8, 8)), "images", "image"),
        (np.zeros((5, 4)), lambda one: np.zeros((9, 9, 3)), "input"),
    ],
)
def test_inputs_of_many_kinds_are_drawn(inputs, draw, noun):
    pictures = Inputs(inputs, None, 5, draw)
    assert pictures.noun == noun
    (picture,) = pictures.of([3], [0])
    assert picture.shape == (DRAWN_PIXELS, DRAWN_PIXELS, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize(
    ("inputs", "draw"),
    [
        (SIGNALS[:4], "signals"),
        (SIGNALS[0], "signals"),
        (SIGNALS[:, None, None], "signals"),
        (SIGNALS, "points"),
        (SIGNALS, "images"),
    ],
)
def test_what_cannot_be_drawn_is_refused(inputs, draw):
    with pytest.raises(ValueError, match="one for each orbit; got shape .* without pictures"):
        Inputs(inputs, None, 5, draw)


def test_wrong_words_and_pictures_are_refused():
    with pytest.raises(ValueError, match="'signals', 'points', 'images', or a function"):
        Inputs(SIGNALS, None, 5, "sounds")
    with pytest.raises(ValueError, match=r"\(height, width, 3\).* got shape \(8,\)"):
        Inputs(SIGNALS, None, 5, lambda one: one).of([0], [0])


def test_nothing_is_shown_where_nothing_is_known():
    assert NoPictures().of([0, 1], [0, 3]) == []
