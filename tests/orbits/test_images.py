from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sklearn_groupcross.orbits import ImageSource
from sklearn_groupcross.orbits._images import load_ahead


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "sub").mkdir()
    for name in ("b.png", "a.jpg", "sub/c.PNG"):
        Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_a_folder_in_the_order_of_names_with_subfolders(folder):
    source = ImageSource(folder)
    assert [source.name(i) for i in range(len(source))] == ["a.jpg", "b.png", "c.PNG"]


def test_shorter_side_is_scaled_and_the_centre_cut_out(folder):
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


def test_a_source_says_what_it_is(folder):
    assert repr(ImageSource(folder)) == "<ImageSource: 3 images, a.jpg, b.png, c.PNG>"
    assert repr(ImageSource(np.zeros((4, 9, 9, 3), np.uint8))) == (
        "<ImageSource: 4 images, image 0, image 1, image 2, ...>"
    )


def test_other_formats_are_read_when_they_are_named(tmp_path):
    Image.new("RGB", (20, 20), "red").save(tmp_path / "a.gif")
    assert ImageSource([tmp_path / "a.gif"]).load(0, 20)[0].mean() > 0.9
    with pytest.raises(ValueError, match="No images in"):
        ImageSource(tmp_path)


def test_selections_are_sources(folder):
    source = ImageSource(folder)
    assert source[np.array([2, 0])].name(0) == "c.PNG"
    assert len(source[1:]) == 2


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "1"])
def test_other_colour_modes_become_rgb(tmp_path, mode):
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    Image.new("RGB", (16, 16), (200, 10, 10)).convert(mode).save(path)
    assert ImageSource([path]).load(0, 16).shape == (3, 16, 16)


def test_sixteen_bits_keep_their_range(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    loaded = ImageSource(tmp_path).load(0, 64)
    np.testing.assert_allclose(loaded[0], ramp / 65535, atol=0.003)


def test_transparent_pixels_are_shown_on_white(tmp_path):
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (ImageSource(tmp_path).load(0, 16) == 1).all()


def test_folders_within_a_list(folder):
    assert len(ImageSource([folder / "sub", folder / "a.jpg"])) == 2


def test_orientation_tags_are_followed(tmp_path):
    picture = Image.new("RGB", (40, 20))
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by a quarter
    picture.save(tmp_path / "turned.jpg", exif=exif)
    picture_seen = ImageSource([tmp_path / "turned.jpg"])._decode(0)
    assert picture_seen.size == (20, 40)


@pytest.mark.parametrize("suffix", ["webp", "png", "tif"])
def test_of_an_animation_it_is_the_first_frame(tmp_path, suffix):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    path = tmp_path / f"moving.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    first = ImageSource(tmp_path).load(0, 40)
    assert first[0].mean() > 0.9
    assert first[2].mean() < 0.1


def test_copies_have_one_digest(tmp_path):
    picture = np.full((20, 20, 3), 7, np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    Image.fromarray(picture + 1).save(tmp_path / "c.png")
    digests = [ImageSource(tmp_path).digest(i) for i in range(3)]
    assert digests[0] == digests[1] != digests[2]
    arrays = ImageSource([picture, picture.copy(), picture[:, ::-1].copy() + 1])
    assert arrays.digest(0) == arrays.digest(1) != arrays.digest(2)


class TestBadInput:
    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(ValueError, match="No images in .*looked for files that end in .bmp"):
            ImageSource(tmp_path)

    def test_floating_point_files_of_unknown_range(self, tmp_path):
        Image.fromarray(np.zeros((16, 16), np.float32)).save(tmp_path / "float.tif")
        with pytest.raises(ValueError, match=r"float\.tif holds floating-point values"):
            ImageSource(tmp_path).load(0, 16)

    def test_an_absent_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="No image file or folder at"):
            ImageSource(tmp_path / "absent")

    def test_an_absent_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="No image file or folder at"):
            ImageSource([tmp_path / "absent.jpg"])

    def test_a_pattern_is_not_expanded(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"\*\.jpg\. Patterns are not expanded"):
            ImageSource(tmp_path / "*.jpg")

    @pytest.mark.parametrize("images", [None, 3])
    def test_no_images_at_all(self, images):
        with pytest.raises(TypeError, match=rf"a folder, a sequence of paths.*got {images}\."):
            ImageSource(images)

    def test_wide_integers_of_unknown_range(self, tmp_path):
        """They would be taken for 16 bits, and be nearly black."""
        Image.fromarray(np.full((16, 16), 255, np.int32)).save(tmp_path / "wide.tif")
        with pytest.raises(ValueError, match=r"wide\.tif holds 32-bit"):
            ImageSource(tmp_path).load(0, 16)

    def test_an_empty_list(self):
        with pytest.raises(ValueError, match="the list is empty"):
            ImageSource([])

    def test_a_text_file_named_jpg(self, tmp_path):
        (tmp_path / "text.jpg").write_text("hello")
        with pytest.raises(ValueError, match=r"text\.jpg is not an image"):
            ImageSource(tmp_path).check(0)

    @pytest.mark.parametrize("suffix", ["jpg", "png"])
    def test_a_truncated_file(self, tmp_path, suffix):
        path = tmp_path / f"short.{suffix}"
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ValueError, match=rf"short\.{suffix} cannot be decoded"):
            ImageSource(tmp_path).load(0, 32)

    def test_a_decompression_bomb(self, tmp_path, monkeypatch):
        """A few bytes that claim to be more pixels than any photograph."""
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        Image.new("RGB", (40, 40)).save(tmp_path / "bomb.png")
        with pytest.raises(
            ValueError, match=r"bomb\.png cannot be decoded: .* exceeds limit.*[^.]\. Scale it"
        ):
            ImageSource(tmp_path).check(0)

    @pytest.mark.parametrize("size", [(1, 1), (200, 7)])
    def test_images_of_a_few_pixels(self, tmp_path, size):
        Image.new("RGB", size).save(tmp_path / "dot.png")
        with pytest.raises(ValueError, match=rf"dot\.png has {size[0]} x {size[1]} pixels"):
            ImageSource(tmp_path).check(0)
        with pytest.raises(ValueError, match="image 0 has 1 x 1 pixels"):
            ImageSource([np.zeros((1, 1, 3), np.uint8)]).load(0, 32)

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (np.zeros((30, 30, 3), np.uint8), "One array"),
            ([np.zeros((30, 30), np.uint8)], "channels last"),
            ([np.zeros((3, 30, 30), np.uint8)], "channels last"),
            ([np.full((30, 30, 3), 200.0)], r"spans \[200, 200\]. Divide by 255"),
            ([np.full((30, 30, 3), np.nan)], r"\[0, 1\]"),
            ([np.zeros((30, 30, 3), np.int32)], "int32"),
        ],
    )
    def test_arrays_that_are_no_images(self, images, message):
        with pytest.raises(ValueError, match=message):
            ImageSource(images)


def test_images_are_loaded_in_order_and_at_most_one_ahead():
    begun = []

    def load(index):
        begun.append(index)
        return torch.tensor(index)

    for number, image in enumerate(load_ahead(load, [5, 3, 8, 1])):
        assert int(image) == [5, 3, 8, 1][number]
        assert len(begun) <= number + 2
    assert begun == [5, 3, 8, 1]
    assert list(load_ahead(load, [])) == []


def test_an_image_that_cannot_be_loaded_ahead_is_an_error_when_its_turn_comes():
    def load(index):
        if index == 2:
            raise ValueError("image 2 is damaged")
        return torch.tensor(index)

    images = load_ahead(load, [0, 1, 2])
    assert [int(next(images)), int(next(images))] == [0, 1]
    with pytest.raises(ValueError, match="image 2"):
        next(images)
