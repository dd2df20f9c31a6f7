from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross._pixels import png_of


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 64)])
def test_others_read_the_same_pixels(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    picture = Image.open(io.BytesIO(png_of(pixels)))
    picture.verify()
    read = Image.open(io.BytesIO(png_of(pixels)))
    assert read.format == "PNG"
    np.testing.assert_array_equal(np.asarray(read.convert("RGB")), pixels)
