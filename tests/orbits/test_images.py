from __future__ import annotations

import io
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import EpsImagePlugin, Image, ImageOps

import sklearn_groupcross
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


HIDDEN = [
    "._a.jpg",
    ".DS_Store",
    ".hidden/b.jpg",
    "__MACOSX/a.jpg",
    "__MACOSX/sub/._c.jpg",
    "sub/._c.PNG",
    "sub/.thumbnails/c.jpg",
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
]


def test_hidden_files_and_folders_are_passed_over(folder, tmp_path_factory):
    names = [path.name for path in ImageSource(folder)._items]
    for name in HIDDEN:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(b"\0\5\x16\7Mac OS X")
    assert [path.name for path in ImageSource(folder)._items] == names
    hidden = tmp_path_factory.mktemp("hidden") / ".photos"  # itself named
    folder.rename(hidden)
    assert [path.name for path in ImageSource(hidden)._items] == names
    with pytest.raises(ValueError, match=r"\._a\.jpg is not an image"):
        ImageSource([hidden / "._a.jpg"]).check(0)  # as is a file that is named
    for path in hidden.rglob("*"):
        if path.is_file() and path.name in names:
            path.unlink()
    with pytest.raises(ValueError, match="No images in"):
        ImageSource(hidden)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "JPEG2000"])
def test_images_with_other_suffixes_are_said_to_be_passed_over(folder, kind):
    Image.new("RGB", (20, 20)).save(folder / "sub" / "other.img", kind)
    with pytest.warns(UserWarning, match=r"holds 1 image with other names \(other\.img\)") as said:
        source = ImageSource(folder)
    assert said[0].filename == __file__
    assert len(source) == 3
    (folder / "sub" / "c.PNG").unlink()
    with pytest.raises(ValueError, match=r"No images in .* 1 image with other names .*: name them"):
        ImageSource(folder / "sub")
    assert ImageSource([folder / "sub" / "other.img"]).load(0, 20).shape == (3, 20, 20)


def test_the_content_says_what_a_file_is(folder):
    Image.open(folder / "b.png").save(folder / "sub" / "c.PNG", "JPEG")
    source = ImageSource(folder)
    assert [source.load(i, 24).shape for i in range(3)] == [(3, 24, 24)] * 3


def test_all_damaged_images_are_named_at_once(folder):
    good = ImageSource(folder)
    (folder / "a.jpg").write_text("hello")
    Image.new("RGB", (4, 4)).save(folder / "b.png")
    source = ImageSource([folder, np.zeros((3, 9, 3), np.uint8)])
    with pytest.raises(ValueError, match="3 of 4 images cannot be used") as refusal:
        source.check_all()
    for part in (r"a\.jpg is not", r"b\.png has 4 x 4 pixels", "image 3 has 9 x 3 pixels"):
        assert re.search(part, str(refusal.value))
    with pytest.raises(ValueError, match=r"^.*a\.jpg is not an image"):
        source.check_all([0, 2])
    source.check_all([2])
    assert good[2:].check_all() is None


def test_what_was_decoded_is_not_decoded_again(folder, monkeypatch):
    source = ImageSource(folder)
    source.check_all()
    monkeypatch.setattr("sklearn_groupcross.orbits._images.read_picture", None)
    source.check_all()
    ImageSource(source).check_all()
    source[[2, 0]].check_all()
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(source)).check_all()  # elsewhere the files may be others


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
    np.testing.assert_array_equal(loaded[0], (ramp / 65535).astype(np.float32))
    np.testing.assert_array_equal(loaded[1], loaded[2])
    scaled = ImageSource(tmp_path).load(0, 32)
    as_floats = ImageSource([np.repeat(ramp[..., None] / 65535, 3, axis=-1)]).load(0, 32)
    np.testing.assert_array_equal(scaled, as_floats)


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

    @pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif", "x.eps"])
    def test_postscript_starts_no_program(self, tmp_path, name, monkeypatch):
        """Pillow would have Ghostscript draw it."""
        (tmp_path / name).write_bytes(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"
        )
        programs = []
        monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: programs.append("gs"))
        source = ImageSource([tmp_path / name])
        for read in (source.check, lambda i: source.load(i, 32)):
            with pytest.raises(ValueError, match=rf"{name} is not an image.*none of the formats"):
                read(0)
        assert programs == []

    def test_every_image_is_opened_by_a_list_of_formats(self):
        """Or the next place that opens one starts programs again."""
        package = Path(sklearn_groupcross.__file__).parent
        calls = [
            call
            for file in package.rglob("*.py")
            for call in re.findall(r"Image\.open\([^)]*\)?", file.read_text())
        ]
        assert calls
        assert all("formats=" in call for call in calls)

    @given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]), st.data())
    def test_damaged_files_are_named(self, tmp_path_factory, kind, data):
        """Decoders raise anything; libraries beneath Pillow print to the error stream at most."""
        content = io.BytesIO()
        Image.fromarray(np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)).save(
            content, kind
        )
        changed = bytearray(content.getvalue())
        for _ in range(data.draw(st.integers(1, 6))):
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        del changed[data.draw(st.integers(0, 2 * len(changed))) or 1 :]
        path = tmp_path_factory.mktemp("damaged") / "photo.png"
        path.write_bytes(changed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                assert ImageSource([path]).load(0, 12).shape == (3, 12, 12)
            except ValueError as error:
                message = str(error)
            else:
                message = str(path)
        assert str(path) in message

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


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("wrap", [lambda image: [image], lambda image: image[None]])
def test_masked_images_are_refused(dtype, wrap):
    image = np.ma.masked_array(np.ones((16, 16, 3), dtype), mask=np.eye(16)[..., None] * [1, 1, 1])
    with pytest.raises(ValueError, match="images is a masked array, and 48 of its 768 values"):
        ImageSource(wrap(image))


def test_transparent_grey_of_sixteen_bits_is_white(tmp_path):
    grey = np.full((16, 16), 1234, np.uint16)
    grey[:8] = 40000
    Image.fromarray(grey).save(tmp_path / "a.png", transparency=1234)
    loaded = ImageSource(tmp_path).load(0, 16)
    assert loaded[:, 12].min() == 1
    np.testing.assert_allclose(loaded[:, 4], 40000 / 65535, atol=1e-6)
