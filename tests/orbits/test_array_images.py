from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross.orbits import ImageSource
from sklearn_groupcross.orbits._array_images import check_array, check_shape, take_array

RAMP = np.arange(16 * 16 * 3).reshape(16, 16, 3)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (RAMP.astype(np.uint8), RAMP % 256 / 255),
        ((RAMP * 80).astype(np.uint16), RAMP * 80 / 65535),
        ((RAMP * 80).astype(">u2"), RAMP * 80 / 65535),
        (RAMP % 2 == 0, RAMP % 2 == 0),
        (RAMP / 1000, RAMP / 1000),
        ((RAMP / 1024).astype(np.float16), RAMP / 1024),
        ((RAMP / 1000).astype(">f4"), RAMP / 1000),
    ],
)
def test_white_is_the_largest_of_a_type_and_one_of_floats(image, expected):
    for source in (ImageSource([image]), ImageSource(image[None])):
        loaded = source.load(0, 16).permute(1, 2, 0).numpy()
        tolerance = 1e-3 if image.dtype == np.float16 else 1e-7
        np.testing.assert_allclose(loaded, expected, atol=tolerance)


def test_bytes_of_three_channels_are_pictures_and_others_arrays():
    """What Pillow scales in bytes keeps its bits."""
    assert isinstance(take_array(RAMP.astype(np.uint8)), Image.Image)
    assert isinstance(take_array(RAMP.astype(np.uint8)[..., :2]), np.ndarray)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64, np.uint32, np.complex64, object])
def test_types_that_do_not_say_what_white_is_are_refused(dtype):
    with pytest.raises(ValueError, match=r"uint8 or uint16.*got .*Divide by the value that is"):
        check_array(np.zeros((16, 16, 3), dtype), 3)


def test_floats_beyond_one_are_refused():
    with pytest.raises(ValueError, match=r"spans \[0, 65535\]\. Divide .* 255 or 65535"):
        check_array(np.linspace(0, 65535, 256).reshape(16, 16, 1), 1)


def test_shapes():
    assert check_shape(np.zeros((16, 12)), 1).shape == (16, 12, 1)
    for shape in [(16, 12), (3, 16, 12), (16, 12, 5), (0, 12, 3)]:
        with pytest.raises(ValueError, match=r"\(height, width, 3\), channels last"):
            check_shape(np.zeros(shape), 3)
