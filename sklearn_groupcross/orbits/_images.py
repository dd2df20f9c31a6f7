"""Images from a folder, from paths or from arrays, as square RGB tensors."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from .._ambient import own_state
from .._integers import check_integer
from .._plain import as_numpy
from ._image_folders import list_folder
from ._pictures import Picture, fit_square, read_picture, size_of, take_picture

# Less than this on a side is a flat patch of colour once it is scaled to a network's input.
_SMALLEST_SIDE = 8
# Images in a row that may wait for a thread to decode them.
_CHECKED_AT_ONCE = 1024


class ImageSource:
    """A collection of images, decoded one at a time when they are asked for.

    Parameters
    ----------
    images : path, sequence of paths, array, tensor or sequence of arrays
        A folder (searched with its subfolders, in the order of the names), paths of image files
        and folders, arrays (height, width, n_channels) of uint8 or of floats in [0, 1], or one
        array of all of them, (n, height, width, n_channels).
    n_channels : int, default=3
        Channels of an image: 3 of RGB, 1 of grey, and arrays may have as many as they like. Files
        are RGB, or made grey.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder or file, or nothing that is an image of so many channels.
    TypeError
        If `images` is none of these.

    Warns
    -----
    UserWarning
        If a folder holds images with other suffixes.

    Notes
    -----
    In folders, files are found that end in .bmp, .jpeg, .jpg, .png, .tif, .tiff and .webp. Hidden
    files and folders, whose names begin with a dot, are passed over, as are those named __MACOSX
    and @eaDir. A file that is named is read whatever its ending, a .gif for example. What a file
    is, its content says: AVIF where this Pillow reads it, BMP, GIF, JPEG, JPEG 2000, PNG, PPM, TIFF
    or WebP, and nothing else.

    Every file becomes RGB: turned upright by its EXIF orientation; transparent pixels on white;
    grey repeated; grey of 16 bits by its whole range, to the last of them; colours of 16 bits in 8,
    as Pillow decodes them. Files of 32-bit integers and floats are refused, since nothing says what
    white is. Of an animation it is the first frame. Images of less than 8 pixels on a side are
    refused. The shorter side is scaled, and the middle square cut out, by `load`: images of 8 bits
    in 8 bits, others in float32.
    """

    def __init__(self, images: Any, *, n_channels: int = 3) -> None:
        self.n_channels = check_integer("n_channels", n_channels, 1)
        self._items: list[Path | np.ndarray] = _list_images(images, self.n_channels)
        # files that were decoded once; selections share it
        self._sound: set[Path] = images._sound if isinstance(images, ImageSource) else set()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sound": set()}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: slice | Sequence[int] | NDArray[np.integer]) -> ImageSource:
        """Select some of the images, as a source of its own."""
        chosen = self._items[index] if isinstance(index, slice) else [self._items[i] for i in index]
        selection = ImageSource(chosen, n_channels=self.n_channels)
        selection._sound = self._sound
        return selection

    def __repr__(self) -> str:
        names = ", ".join(self.name(i) for i in range(min(3, len(self))))
        return f"<ImageSource: {len(self)} images, {names}{', ...' if len(self) > 3 else ''}>"

    def name(self, index: int) -> str:
        """Return the file name of an image, or its number where it came as an array."""
        item = self._items[index]
        return item.name if isinstance(item, Path) else f"image {index}"

    @own_state()
    def load(self, index: int, size: int) -> Tensor:
        """Decode an image, scale its shorter side to `size` and cut out the central square.

        Of an animation it is the first frame.

        Parameters
        ----------
        index : int
        size : int
            Side of the result in pixels.

        Returns
        -------
        image : Tensor of shape (n_channels, size, size), float32
            RGB in [0, 1], or what else the channels are.

        Raises
        ------
        ValueError
            If the file is not an image, is damaged or too small; the message names it.
        """
        return fit_square(self._decode(index), size, self.n_channels)

    def digest(self, index: int) -> str:
        """SHA-256 of a file's bytes, or of an array: the same for copies under other names."""
        item = self._items[index]
        if isinstance(item, Path):
            return hashlib.sha256(item.read_bytes()).hexdigest()
        state = hashlib.sha256(f"{item.dtype} {item.shape}".encode())
        state.update(np.ascontiguousarray(item).data)
        return state.hexdigest()

    def _where(self, index: int) -> str:
        """Name an image such that it is found: by its path, where it has one."""
        item = self._items[index]
        return str(item) if isinstance(item, Path) else self.name(index)

    def check(self, index: int) -> None:
        """Decode an image and throw it away: raises the errors of `load`."""
        self._decode(index)
        item = self._items[index]
        if isinstance(item, Path):
            self._sound.add(item)

    def check_all(self, indices: Iterable[int] | None = None, *, progress: bool = False) -> None:
        """Decode images once, such that all that are damaged are found before hours of work.

        Those that were decoded well before, also by the source that this one was selected from, are
        not decoded again.

        Parameters
        ----------
        indices : iterable of int, optional
            Default: all.
        progress : bool, default=False
            Show a progress bar.

        Raises
        ------
        ValueError
            Naming every image that cannot be used, a line each.
        """
        todo = range(len(self)) if indices is None else list(indices)
        unknown = [i for i in dict.fromkeys(todo) if not self._is_known_sound(i)]
        problems: list[str] = []
        with (
            ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
            tqdm(
                total=len(unknown), desc="checking images", disable=not progress, leave=False
            ) as bar,
        ):
            for start in range(0, len(unknown), _CHECKED_AT_ONCE):
                for problem in pool.map(self._problem, unknown[start : start + _CHECKED_AT_ONCE]):
                    problems.extend(problem)
                    bar.update()
        if problems:
            count = f"{len(problems)} of {len(todo)} images cannot be used:\n"
            raise ValueError((count if len(problems) > 1 else "") + "\n".join(problems))

    def _is_known_sound(self, index: int) -> bool:
        item = self._items[index]
        return isinstance(item, Path) and item in self._sound

    def _problem(self, index: int) -> list[str]:
        try:
            self.check(index)
        except ValueError as error:
            return [str(error)]
        return []

    def _decode(self, index: int) -> Picture:
        item = self._items[index]
        picture = read_picture(item) if isinstance(item, Path) else take_picture(item)
        width, height = size_of(picture)
        if min(width, height) < _SMALLEST_SIDE:
            raise ValueError(
                f"{self._where(index)} has {width} x {height} pixels, and at least "
                f"{_SMALLEST_SIDE} x {_SMALLEST_SIDE} are needed: leave it out."
            )
        return picture


def as_source(images: Any, n_channels: int) -> ImageSource:
    """Take images as they come, or a source of as many channels.

    Raises
    ------
    ValueError
        If a source has another number of channels.
    """
    if not isinstance(images, ImageSource):
        return ImageSource(images, n_channels=n_channels)
    if images.n_channels != n_channels:
        raise ValueError(
            f"The network reads images of {n_channels} channels, and the images have "
            f"{images.n_channels}: ImageSource(..., n_channels={n_channels})."
        )
    return images


def _list_images(images: Any, n_channels: int) -> list[Path | np.ndarray]:
    if isinstance(images, ImageSource):
        return _list_images(images._items, n_channels)
    if isinstance(images, str | os.PathLike):
        images = [images]
    images = as_numpy(images, "images")
    if not isinstance(images, Iterable):
        raise TypeError(
            "images are a folder, a sequence of paths, or arrays (height, width, "
            f"{n_channels}); got {images!r}."
        )
    if isinstance(images, np.ndarray) and images.ndim == 3:
        raise ValueError(
            f"One array of shape {images.shape} came where images were expected: give a list of "
            f"images, or one array of shape (n, height, width, {n_channels})."
        )
    items: list[Path | np.ndarray] = []
    for item in images:
        if isinstance(item, str | os.PathLike):
            items.extend(list_folder(Path(item)))
        else:
            items.append(_check_array(np.asarray(as_numpy(item, "images")), n_channels))
    if n_channels not in (1, 3) and any(isinstance(item, Path) for item in items):
        raise ValueError(f"Files hold RGB; give images of {n_channels} channels as arrays.")
    if not items:
        raise ValueError("No images: the list is empty.")
    return items


def _check_array(image: np.ndarray, n_channels: int) -> np.ndarray:
    if image.ndim == 2 and n_channels == 1:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[-1] != n_channels or 0 in image.shape:
        raise ValueError(
            f"An image array has shape (height, width, {n_channels}), channels last; got "
            f"{image.shape}. Network(..., n_channels=...) says how many channels images have."
        )
    if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"An image array is uint8, or floats in [0, 1]; got {image.dtype}.")
    if image.dtype != np.uint8 and not ((image >= 0) & (image <= 1)).all():
        low, high = np.min(image), np.max(image)
        raise ValueError(
            f"A floating-point image lies in [0, 1]; this one spans [{low:g}, {high:g}]. "
            "Divide by 255, or pass uint8."
        )
    return image
