"""Image files of any number of channels: arrays of numpy, and TIFF as microscopes write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, TiffImagePlugin

from ._array_images import check_array, take_array
from ._pictures import (
    Picture,
    RefusedError,
    check_values,
    explaining_decoders,
    is_grey,
    read_picture,
)

ARRAY_SUFFIX = ".npy"
_NUMPY = b"\x93NUMPY"
# Classic, and those of more than 4 GB.
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SAMPLES_PER_PIXEL = 277


def read_file(path: Path, n_channels: int) -> Picture:
    """Decode a file of RGB, of grey, or of as many channels as are asked for.

    Raises
    ------
    ValueError
        Naming the file, and why it cannot be used.
    ImportError
        If a library is needed that is not there.
    """
    with explaining_decoders(path), open(path, "rb") as file:
        beginning = file.read(8)
    if beginning.startswith(_NUMPY):
        return read_array(path, n_channels)
    if n_channels > 1 and beginning.startswith(_TIFF):
        with explaining_decoders(path):
            planes = _read_tiff(path, n_channels)
        if planes is not None:
            return take_array(planes)
    if n_channels not in (1, 3):
        raise ValueError(
            f"{path} does not hold the {n_channels} channels that the network reads. Give .npy "
            f"files of arrays (height, width, {n_channels}), or TIFF files of {n_channels} grey "
            f"pages or samples a pixel; or give the network a preprocess that makes {n_channels} "
            "channels of RGB."
        )
    return read_picture(path)


def read_array(path: Path, n_channels: int, row: int | None = None) -> Picture:
    """Take the image out of a file of an array, or one of those in an array of several.

    Raises
    ------
    ValueError
        Naming the file and the number in it, and why it cannot be used.
    """
    with explaining_decoders(path if row is None else Path(f"{path}[{row}]")):
        return take_array(_checked(array_of(path, row), n_channels))


def array_of(path: Path, row: int | None = None) -> NDArray[Any]:
    """Read the array of a file, or one row of it; Python objects are never loaded."""
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    # a copy: a map of a file that somebody cuts off would end the process
    return np.array(mapped if row is None else mapped[row])


def n_images_in(path: Path) -> int | None:
    """How many images a file holds in an array (n, height, width, n_channels).

    None for a file of one image, and for what is damaged: that is said where it is read.
    """
    if path.suffix.lower() != ARRAY_SUFFIX:
        return None
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # numpy parses the header as Python, and raises anything
        return None
    return len(array) if isinstance(array, np.ndarray) and array.ndim == 4 else None


def _checked(array: NDArray[Any], n_channels: int) -> NDArray[Any]:
    try:
        return check_array(array, n_channels)
    except ValueError as error:
        raise RefusedError(f"cannot be used. {str(error).rstrip('.')}") from None


def _read_tiff(path: Path, n_channels: int) -> NDArray[Any] | None:
    """Read channels of a TIFF, (height, width, n_channels); None if it has others."""
    n_samples = _samples_per_pixel(path)
    if n_samples == 1:
        return _read_pages(path, n_channels)
    return _read_samples(path, n_channels) if n_samples == n_channels != 3 else None


def _samples_per_pixel(path: Path) -> int:
    with open(path, "rb") as file:
        header = file.read(8)
        if header[2] == 43 or header[3] == 43:
            header += file.read(8)
        tags = TiffImagePlugin.ImageFileDirectory_v2(header)
        file.seek(tags.next)
        tags.load(file)
    return int(tags.get(_SAMPLES_PER_PIXEL, 1))


def _read_pages(path: Path, n_channels: int) -> NDArray[Any] | None:
    with Image.open(path, formats=["TIFF"]) as opened:
        if getattr(opened, "n_frames", 1) != n_channels:
            return None
        pages = []
        for number in range(n_channels):
            opened.seek(number)
            page = ImageOps.exif_transpose(opened)
            if not is_grey(page):
                return None
            check_values(page, opened.format)
            pages.append(np.array(page))
    if len({(page.shape, page.dtype) for page in pages}) > 1:
        raise RefusedError("has pages of several sizes or types, which are no channels of an image")
    return np.stack(pages, axis=-1)


def _read_samples(path: Path, n_channels: int) -> NDArray[Any]:
    """Read what Pillow does not: more samples a pixel than colours have."""
    try:
        import tifffile
    except ImportError as error:
        raise ImportError(
            f"{path} has {n_channels} samples a pixel, and to read them takes tifffile: "
            "pip install 'sklearn-groupcross[microscopy]'."
        ) from error
    # of the file itself alone: what OME metadata say may name others
    with tifffile.TiffFile(path, is_ome=False) as tiff:
        page: Any = tiff.pages[0]
        if page.imagewidth * page.imagelength > 2 * (Image.MAX_IMAGE_PIXELS or np.inf):
            raise Image.DecompressionBombError(
                f"it claims {page.imagewidth} x {page.imagelength} pixels, which exceeds the limit"
            )
        planes = np.asarray(page.asarray())
        planes = np.moveaxis(planes, page.axes.index("S"), -1)
    return _checked(planes, n_channels)
