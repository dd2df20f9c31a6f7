from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross.report._packing import Atlas, Words, as_int8, packed
from tests.report.page import unpacked


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "float32", ">f4"])
def test_arrays_come_back(dtype):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    text = packed(array)
    assert text["dtype"] == np.dtype(dtype).name
    np.testing.assert_array_equal(unpacked(text), array)
    np.testing.assert_array_equal(unpacked(packed(array[:, ::2])), array[:, ::2])


def test_cosines_lose_half_a_step():
    cosines = np.linspace(-1, 1, 99)
    np.testing.assert_allclose(as_int8(cosines) / 127, cosines, atol=0.51 / 127)
    assert as_int8(np.array([np.nan, 1.5])).tolist() == [0, 127]


def test_words_are_told_once():
    words = Words()
    assert words.numbers(["line", "", "grid", "line"]).tolist() == [0, -1, 1, 0]
    assert list(words) == ["line", "grid"]


def test_pictures_lie_side_by_side_in_files_of_their_number():
    atlas = Atlas("blocks", tile=4, columns=2, lossless=True)
    assert atlas.files() == []
    shades = [10 * i for i in range(7)]
    numbers = [atlas.add(np.full((4, 4, 3), shade, dtype=np.uint8)) for shade in shades]
    assert numbers == list(range(7))
    files = [np.asarray(Image.open(io.BytesIO(file))) for file in atlas.files()]
    about = atlas.describe()
    assert (len(files), about["n_atlases"], about["n"], len(atlas)) == (2, 2, 7, 7)
    assert [file.shape for file in files] == [(8, 8, 3), (8, 8, 3)]
    for number, shade in zip(numbers, shades, strict=True):
        sheet, place = divmod(number, about["per_atlas"])
        row, column = divmod(place, about["columns"])
        tile = files[sheet][4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert (tile == shade).all()
    # the last file is as high as it must be
    atlas = Atlas("few", tile=4, columns=2, lossless=True)
    atlas.add(np.zeros((4, 4, 3), dtype=np.uint8))
    assert Image.open(io.BytesIO(atlas.files()[0])).size == (8, 4)
