from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross.orbits import ImageSource
from sklearn_groupcross.orbits._channel_files import n_images_in

PLANES = np.random.default_rng(0).integers(0, 65536, (20, 24, 5), dtype=np.uint16)


def save_pages(path, planes, **options):
    first, *others = (Image.fromarray(np.ascontiguousarray(p)) for p in np.moveaxis(planes, -1, 0))
    first.save(path, "TIFF", save_all=True, append_images=others, **options)


def loaded(path, n_channels, size=20):
    return ImageSource([path], n_channels=n_channels).load(0, size).permute(1, 2, 0).numpy()


def square(planes):
    return planes[:, 2:22]


class TestArrays:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_a_file_is_as_the_array(self, tmp_path, dtype, order):
        planes = PLANES / 65535 if np.dtype(dtype).kind == "f" else PLANES % 256
        planes = planes.astype(dtype, order=order)
        np.save(tmp_path / "x.npy", planes)
        source, array = ImageSource(tmp_path, n_channels=5), ImageSource([planes], n_channels=5)
        for size in (20, 13):
            np.testing.assert_array_equal(source.load(0, size), array.load(0, size))
        assert source.name(0) == "x.npy"

    def test_the_content_says_what_it_is(self, tmp_path):
        with open(tmp_path / "x.png", "wb") as file:
            np.save(file, PLANES)
        np.testing.assert_allclose(loaded(tmp_path / "x.png", 5), square(PLANES) / 65535, atol=1e-7)

    def test_gray_needs_no_axis_of_channels(self, tmp_path):
        np.save(tmp_path / "x.npy", PLANES[..., 0])
        assert loaded(tmp_path / "x.npy", 1).shape == (20, 20, 1)

    def test_several_images_in_one_file(self, tmp_path):
        several = np.stack([PLANES, PLANES[::-1], PLANES[:, ::-1]])
        np.save(tmp_path / "x.npy", several)
        np.save(tmp_path / "y.npy", PLANES)
        assert n_images_in(tmp_path / "x.npy") == 3
        assert n_images_in(tmp_path / "y.npy") is None
        files, arrays = ImageSource(tmp_path, n_channels=5), ImageSource(several, n_channels=5)
        assert [files.name(i) for i in range(4)] == ["x.npy[0]", "x.npy[1]", "x.npy[2]", "y.npy"]
        for i in range(3):
            np.testing.assert_array_equal(files.load(i, 15), arrays.load(i, 15))
            assert files.digest(i) == arrays.digest(i)
        with pytest.raises(
            ValueError, match=r"x\.npy\[1\] cannot be used\. .* \(height, width, 4\)"
        ):
            ImageSource(files, n_channels=4).check(1)

    def test_python_objects_are_never_loaded(self, tmp_path):
        class Fires:
            def __reduce__(self):
                return open, (str(tmp_path / "fired"), "w")

        np.save(tmp_path / "x.npy", np.array([[Fires()]], dtype=object), allow_pickle=True)
        (tmp_path / "y.npy").write_bytes(b"\x80\x04\x95")
        for name, message in (("x.npy", "Python objects"), ("y.npy", "not an image")):
            with pytest.raises(ValueError, match=rf"{name} .*{message}"):
                ImageSource([tmp_path / name]).check(0)
        assert not (tmp_path / "fired").exists()

    def test_damaged_files_are_named(self, tmp_path):
        np.save(tmp_path / "whole.npy", PLANES)
        content = (tmp_path / "whole.npy").read_bytes()
        for n_bytes in (7, 60, len(content) - 1):
            (tmp_path / "x.npy").write_bytes(content[:n_bytes])
            with pytest.raises(ValueError, match=r"x\.npy (cannot be decoded|does not hold)"):
                ImageSource([tmp_path / "x.npy"], n_channels=5).check(0)

    @pytest.mark.parametrize("text", [b"{'descr': (", b"{'descr': '|u1', 'fortran_order': F\xb0E"])
    def test_a_header_that_is_no_python_is_named(self, tmp_path, text):
        """numpy reads it as Python, and raises what a tokenizer does."""
        header = text.ljust(118)
        content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(99)
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(ValueError, match=r"x\.npy cannot be decoded"):
            ImageSource([tmp_path / "x.npy"], n_channels=5).check(0)

    def test_values_of_unknown_range_are_refused(self, tmp_path):
        np.save(tmp_path / "x.npy", PLANES.astype(np.int32))
        with pytest.raises(ValueError, match=r"x\.npy cannot be used\. .*got int32"):
            ImageSource([tmp_path / "x.npy"], n_channels=5).check(0)


class TestPages:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool])
    @pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
    def test_grey_pages_are_channels(self, tmp_path, dtype, compression):
        planes = PLANES > 30000 if dtype is bool else (PLANES % 256 * 255).astype(dtype)
        save_pages(tmp_path / "x.tif", planes, compression=compression)
        white = 1 if dtype is bool else np.iinfo(dtype).max
        np.testing.assert_allclose(loaded(tmp_path / "x.tif", 5), square(planes) / white, atol=1e-7)

    def test_three_of_them_too_unless_they_are_read_as_grey(self, tmp_path):
        save_pages(tmp_path / "x.tif", PLANES[..., :3])
        expected = square(PLANES[..., :3]) / 65535
        np.testing.assert_allclose(loaded(tmp_path / "x.tif", 3), expected, atol=1e-7)
        np.testing.assert_allclose(loaded(tmp_path / "x.tif", 1), expected[..., :1], atol=1e-7)

    def test_orientation_is_followed(self, tmp_path):
        save_pages(tmp_path / "x.tif", PLANES, tiffinfo={274: 3})  # turned by half
        expected = square(PLANES)[::-1, ::-1] / 65535
        np.testing.assert_allclose(loaded(tmp_path / "x.tif", 5), expected, atol=1e-7)

    def test_other_numbers_are_refused(self, tmp_path):
        save_pages(tmp_path / "x.tif", PLANES[..., :4])
        Image.new("RGB", (20, 20)).save(tmp_path / "y.png")
        for name in ("x.tif", "y.png"):
            with pytest.raises(
                ValueError, match=rf"{name} does not hold the 5 channels .* \(height, width, 5\)"
            ):
                ImageSource([tmp_path / name], n_channels=5).check(0)

    def test_pages_that_are_no_channels_are_refused(self, tmp_path):
        pages = [Image.new("L", (20, 20)), Image.new("L", (10, 10))]
        pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
        with pytest.raises(ValueError, match=r"x\.tif has pages of several sizes"):
            ImageSource([tmp_path / "x.tif"], n_channels=2).check(0)
        save_pages(tmp_path / "y.tif", PLANES.astype(np.float32))
        with pytest.raises(ValueError, match=r"y\.tif holds floating-point values of unknown"):
            ImageSource([tmp_path / "y.tif"], n_channels=5).check(0)


class TestSamples:
    @pytest.fixture
    def tifffile(self):
        return pytest.importorskip("tifffile")

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    @pytest.mark.parametrize("planar", ["contig", "separate"])
    @pytest.mark.parametrize("n_channels", [2, 4, 5])
    @pytest.mark.parametrize("bigtiff", [False, True])
    def test_samples_are_channels(self, tmp_path, tifffile, dtype, planar, n_channels, bigtiff):
        planes = PLANES[..., :n_channels]
        planes = (planes / 65535 if dtype == np.float32 else planes % 256).astype(dtype)
        stored = planes if planar == "contig" else np.moveaxis(planes, -1, 0)
        options = {"photometric": "minisblack", "planarconfig": planar, "bigtiff": bigtiff}
        tifffile.imwrite(tmp_path / "x.tif", stored, **options)
        white = 1 if dtype == np.float32 else np.iinfo(dtype).max
        found = loaded(tmp_path / "x.tif", n_channels)
        np.testing.assert_allclose(found, square(planes) / white, atol=1e-7)

    @pytest.mark.parametrize("kind", ["imagej", "ome"])
    def test_pages_as_microscopes_write_them(self, tmp_path, tifffile, kind):
        axes = {"metadata": {"axes": "CYX"}, "photometric": "minisblack"}
        tifffile.imwrite(tmp_path / "x.tif", np.moveaxis(PLANES, -1, 0), **{kind: True}, **axes)
        np.testing.assert_allclose(loaded(tmp_path / "x.tif", 5), square(PLANES) / 65535, atol=1e-7)

    def test_too_many_pixels_are_refused_before_they_are_read(
        self, tmp_path, tifffile, monkeypatch
    ):
        options = {"photometric": "minisblack", "planarconfig": "contig"}
        tifffile.imwrite(tmp_path / "x.tif", PLANES, **options)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        monkeypatch.setattr(tifffile.TiffPage, "asarray", None)
        with pytest.raises(ValueError, match=r"x\.tif cannot be decoded: .*24 x 20 pixels"):
            ImageSource([tmp_path / "x.tif"], n_channels=5).check(0)

    def test_without_the_library_it_is_said_what_to_install(self, tmp_path, monkeypatch):
        # the head of such a file, whose pixels nobody gets to
        path = tmp_path / "x.tif"
        Image.new("RGBA", (20, 20)).save(path)
        monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
        with pytest.raises(ImportError, match=r"4 samples a pixel.*groupcross\[microscopy\]"):
            ImageSource([path], n_channels=4).check_all()
