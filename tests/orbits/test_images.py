from __future__ import annotations

import io
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image

import sklearn_groupcross
from sklearn_groupcross.orbits import ImageSource


def test_a_source_says_what_it_is(folder):
    assert repr(ImageSource(folder)) == "<ImageSource: 3 images, a.jpg, b.png, c.PNG>"
    assert repr(ImageSource(np.zeros((4, 9, 9, 3), np.uint8))) == (
        "<ImageSource: 4 images, image 0, image 1, image 2, ...>"
    )


def test_a_file_that_is_named_is_read_whatever_its_ending(tmp_path):
    Image.new("RGB", (20, 20), "red").save(tmp_path / "a.dat", "GIF")
    assert ImageSource([tmp_path / "a.dat"]).load(0, 20)[0].mean() > 0.9
    with pytest.raises(ValueError, match=r"No images in .* 1 image with other names \(a\.dat\)"):
        ImageSource(tmp_path)


def test_all_damaged_images_are_named_at_once(folder):
    good = ImageSource(folder)
    (folder / "a.jpg").write_text("hello", encoding="utf-8")
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


class TestDamagedImages:
    @pytest.fixture
    def source(self, folder):
        for name in ("d.png", "e.png"):
            (folder / name).write_text("no image", encoding="utf-8")
        return ImageSource(folder)

    def test_are_set_apart_and_listed(self, source):
        sound = source.without_damaged(max_share=0.4)
        assert [sound.name(i) for i in range(len(sound))] == ["a.jpg", "b.png", "c.PNG"]
        assert [image.name for image in sound.damaged] == ["d.png", "e.png"]
        for image in sound.damaged:
            assert re.search(rf"/{image.name} is not an image", image.reason)
        assert source.damaged == ()
        # selections and sources of it know what was set apart, and look no more
        assert sound[[1, 0]].damaged == ImageSource(sound).damaged == sound.damaged
        assert pickle.loads(pickle.dumps(sound)).damaged == sound.damaged
        again = sound.without_damaged()
        assert (len(again), again.damaged) == (3, sound.damaged)

    def test_may_be_no_more_than_a_share(self, source):
        assert len(source.without_damaged(max_share=2 / 5)) == 3
        for share in (0.0, 0.05, 0.39):
            with pytest.raises(
                ValueError, match=rf"(?s)2 of 5 images cannot be used.*share of {share:g} that may"
            ):
                source.without_damaged(max_share=share)

    @pytest.mark.parametrize("share", [1, -0.1, float("nan")])
    def test_not_all_of_them(self, source, share):
        with pytest.raises(ValueError, match=r"max_share is a share in \[0, 1\); got"):
            source.without_damaged(max_share=share)

    def test_are_found_by_index(self, source):
        assert list(source.find_damaged()) == [2, 3]
        assert list(source.find_damaged([0, 3])) == [3]
        assert source[:2].find_damaged() == {}

    def test_no_image_of_other_channels_is_known_as_sound(self, folder):
        source = ImageSource(folder)
        source.check_all()
        with pytest.raises(ValueError, match="3 of 3 images cannot be used"):
            ImageSource(source, n_channels=5).check_all()


def test_what_was_decoded_is_not_decoded_again(folder, monkeypatch):
    source = ImageSource(folder)
    source.check_all()
    monkeypatch.setattr("sklearn_groupcross.orbits._image_items.read_file", None)
    source.check_all()
    ImageSource(source).check_all()
    source[[2, 0]].check_all()
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(source)).check_all()  # elsewhere the files may be others


def test_selections_are_sources(folder):
    source = ImageSource(folder)
    assert source[np.array([2, 0])].name(0) == "c.PNG"
    assert len(source[1:]) == 2


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
        with pytest.raises(
            ValueError, match="No images in .*looked for files that end in .apng, .avif"
        ):
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
        (tmp_path / "text.jpg").write_text("hello", encoding="utf-8")
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
            for call in re.findall(r"Image\.open\([^)]*\)?", file.read_text(encoding="utf-8"))
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
        """A few bytes that claim to be more pixels than any image."""
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
            (
                [np.full((30, 30, 3), 200.0)],
                r"spans \[200, 200\]. Divide by the value that is white, 255",
            ),
            ([np.full((30, 30, 3), np.nan)], r"\[0, 1\]"),
            ([np.zeros((30, 30, 3), np.int32)], "int32"),
        ],
    )
    def test_arrays_that_are_no_images(self, images, message):
        with pytest.raises(ValueError, match=message):
            ImageSource(images)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("wrap", [lambda image: [image], lambda image: image[None]])
def test_masked_images_are_refused(dtype, wrap):
    image = np.ma.masked_array(np.ones((16, 16, 3), dtype), mask=np.eye(16)[..., None] * [1, 1, 1])
    with pytest.raises(ValueError, match="images is a masked array, and 48 of its 768 values"):
        ImageSource(wrap(image))


def test_many_of_one_reason_are_a_line(tmp_path):
    for i in range(30):
        np.save(tmp_path / f"{i:02}.npy", np.zeros((20, 20, 5)))
    (tmp_path / "30.png").write_bytes(b"text")
    with pytest.raises(ValueError, match="31 of 31 images cannot be used") as refusal:
        ImageSource(tmp_path).check_all()
    _, deep, text = str(refusal.value).splitlines()
    assert "00.npy cannot be used" in deep
    others = ", ".join(f"{i:02}.npy" for i in range(1, 21))
    assert deep.endswith(f" The same: {others} and 9 others.")
    assert text.startswith(f"{tmp_path / '30.png'} is not an image")
