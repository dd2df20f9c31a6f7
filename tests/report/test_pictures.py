from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross import Cyclic
from sklearn_groupcross.actions import TimeShiftAction
from sklearn_groupcross.report._pictures import NoPictures, Patches, Signals

SIGNALS = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)


def decoded(source):
    return base64.b64decode(source.partition("base64,")[2])


def heights(source):
    """Heights of every curve, 0 at the bottom."""
    curves = re.findall(r'points="([^"]*)"', decoded(source).decode())
    return [[100 - float(point.split(",")[1]) for point in curve.split()] for curve in curves]


def test_patches_are_pictures_of_what_samples_look_at(small_dataset):
    pictures = Patches(small_dataset)
    (first,) = pictures.of([0], [0])
    picture = np.asarray(Image.open(io.BytesIO(decoded(first)))) / 255
    expected = small_dataset.patches([0])[0, 0].mean((0, 1))
    np.testing.assert_allclose(picture.mean((0, 1)), expected, atol=0.05)
    views = pictures.of([0, 0], [0, 3])
    assert views[0] == first != views[1]


@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_patches_of_any_number_of_channels_are_pictures(n_channels):
    class Deep:
        image_ids = np.zeros(1, dtype=np.int64)

        def patches(self, samples, *, elements=None):
            return np.full((1, 1, 9, 9, n_channels), 0.5, dtype=np.float32)

    (picture,) = Patches(Deep()).of([0], [0])
    pixels = np.asarray(Image.open(io.BytesIO(decoded(picture))))
    assert pixels.shape == (64, 64, 3)
    assert abs(pixels.astype(int) - 128).max() <= 2


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int16])
def test_signals_are_curves_from_their_lowest_to_their_highest_value(dtype):
    signals = (10 * SIGNALS).astype(dtype)
    (picture,) = Signals(signals, None, 5).of([2], [0])
    (curve,) = heights(picture)
    scaled = (signals[2] - signals[2].min()) / np.float64(np.ptp(signals[2]))
    np.testing.assert_allclose(curve, 5 + 90 * scaled, atol=0.1)


def test_a_transformed_signal_is_shown_as_the_action_has_it():
    action = TimeShiftAction(Cyclic(4))
    pictures = Signals(SIGNALS, action, 5)
    views = pictures.of([1, 1], [0, 3])
    rolled = Signals(np.roll(SIGNALS, 6, axis=1), action, 5)
    assert views == pictures.of([1], [0]) + rolled.of([1], [0])


def test_a_signal_without_an_action_is_shown_as_it_is_alone():
    pictures = Signals(SIGNALS, None, 5)
    assert not pictures.shows_transformed
    assert pictures.of([1, 1], [0, 3]) == []
    assert pictures.of([2, 1], [0, 0]) == Signals(SIGNALS[[2, 1]], None, 2).of([0, 1], [0, 0])


def test_channels_are_curves_of_their_own_and_constants_are_flat():
    (picture,) = Signals(np.ones((1, 8)), None, 1).of([0], [0])
    assert [set(curve) for curve in heights(picture)] == [{5.0}]
    channels = np.repeat([[[0.0], [1.0]]], 8, axis=2)
    (picture,) = Signals(channels, None, 1).of([0], [0])
    assert [set(curve) for curve in heights(picture)] == [{5.0}, {95.0}]


@pytest.mark.parametrize("inputs", [SIGNALS[:4], SIGNALS[0], SIGNALS[:, None, None]])
def test_what_is_no_signal_is_refused(inputs):
    with pytest.raises(ValueError, match="one for each orbit; got shape .* without pictures"):
        Signals(inputs, None, 5)


def test_nothing_is_shown_where_nothing_is_known():
    assert NoPictures().of([0, 1], [0, 3]) == []
