from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps

from sklearn_groupcross.orbits import ImageSource


def test_shorter_side_is_scaled_and_the_center_cut_out(folder):
    image = ImageSource(folder).load(0, 24)
    assert image.shape == (3, 24, 24)
    assert 0 <= image.min() < image.max() <= 1


def test_pixels_that_need_no_scaling_stay_as_they_are():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    loaded = ImageSource([pixels]).load(0, 20)
    np.testing.assert_array_equal((loaded.permute(1, 2, 0) * 255).round().numpy(), pixels)


def test_floats_and_bytes_agree():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    as_bytes = ImageSource(pixels[None]).load(0, 20)
    as_floats = ImageSource([pixels / 255.0]).load(0, 20)
    np.testing.assert_allclose(as_bytes, as_floats)


@given(
    arrays(
        st.sampled_from([np.float16, np.float32, np.float64]),
        st.tuples(st.integers(8, 20), st.integers(8, 20), st.just(3)),
        elements=st.floats(0, 1, width=16),
    )
)
def test_floats_are_kept_to_the_last_bit_and_in_range(image):
    source = ImageSource([image])
    height, width, _ = image.shape
    side = min(height, width)
    top, left = (height - side) / 2, (width - side) / 2
    if top.is_integer() and left.is_integer():
        square = image[int(top) :, int(left) :][:side, :side].astype(np.float32)
        np.testing.assert_array_equal(source.load(0, side).permute(1, 2, 0), square)
    scaled = source.load(0, 11)
    assert scaled.dtype == torch.float32
    assert scaled.min() >= 0
    assert scaled.max() <= 1


@given(
    arrays(np.uint8, st.tuples(st.integers(8, 40), st.integers(8, 40), st.just(3))),
    st.integers(8, 30),
)
def test_floats_are_scaled_as_bytes_are_without_their_rounding(pixels, size):
    as_bytes = ImageSource([pixels]).load(0, size)
    as_floats = ImageSource([pixels / 255.0]).load(0, size)
    # Pillow rounds after each of two passes, and clips between them
    assert (as_floats - as_bytes).abs().max() < 0.25
    assert (as_floats - as_bytes).abs().mean() < 0.01


def test_images_of_bytes_keep_their_bits():
    """As the release before floats were kept scaled them."""
    pixels = np.random.default_rng(0).integers(0, 256, (41, 67, 3), dtype=np.uint8)
    fitted = ImageOps.fit(Image.fromarray(pixels), (30, 30), Image.Resampling.BICUBIC)
    wanted = torch.from_numpy(np.array(fitted, dtype=np.float32)).permute(2, 0, 1) / 255.0
    assert torch.equal(ImageSource([pixels]).load(0, 30), wanted)


def test_steps_finer_than_those_of_bytes_are_kept():
    image = 0.5 + 1e-3 * np.linspace(0, 1, 70)[:, None, None] + np.zeros((70, 70, 3))
    for size in (70, 31):
        assert (ImageSource([image]).load(0, size)[0, :, 0].diff() > 0).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "1"])
def test_other_color_modes_become_rgb(tmp_path, mode):
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    Image.new("RGB", (16, 16), (200, 10, 10)).convert(mode).save(path)
    assert ImageSource([path]).load(0, 16).shape == (3, 16, 16)


def test_sixteen_bits_keep_their_range(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    loaded = ImageSource(tmp_path).load(0, 64)
    np.testing.assert_array_equal(loaded[0], (ramp / 65535).astype(np.float32))
    np.testing.assert_array_equal(loaded[1], loaded[2])
    scaled = ImageSource(tmp_path).load(0, 32)
    as_floats = ImageSource([np.repeat(ramp[..., None] / 65535, 3, axis=-1)]).load(0, 32)
    np.testing.assert_array_equal(scaled, as_floats)


def test_transparent_pixels_are_shown_on_white(tmp_path):
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (ImageSource(tmp_path).load(0, 16) == 1).all()


def test_orientation_tags_are_followed(tmp_path):
    picture = Image.new("RGB", (40, 20))
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by a quarter
    picture.save(tmp_path / "turned.jpg", exif=exif)
    picture_seen = ImageSource([tmp_path / "turned.jpg"])._decode(0)
    assert picture_seen.size == (20, 40)


@pytest.mark.parametrize("suffix", ["webp", "png", "tif"])
def test_of_an_animation_it_is_the_first_frame(tmp_path, suffix):
    frames = [Image.new("RGB", (40, 40), color) for color in ("red", "blue")]
    path = tmp_path / f"moving.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    first = ImageSource(tmp_path).load(0, 40)
    assert first[0].mean() > 0.9
    assert first[2].mean() < 0.1


def test_transparent_gray_of_sixteen_bits_is_white(tmp_path):
    gray = np.full((16, 16), 1234, np.uint16)
    gray[:8] = 40000
    Image.fromarray(gray).save(tmp_path / "a.png", transparency=1234)
    loaded = ImageSource(tmp_path).load(0, 16)
    assert loaded[:, 12].min() == 1
    np.testing.assert_allclose(loaded[:, 4], 40000 / 65535, atol=1e-6)
