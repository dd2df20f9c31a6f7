"""Images from a folder, from paths or from arrays, as square RGB tensors."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

# Less than this on a side is a flat patch of colour once it is scaled to a network's input.
_SMALLEST_SIDE = 8
IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class ImageSource:
    """A collection of images, decoded one at a time when they are asked for.

    Parameters
    ----------
    images : path, sequence of paths, array, tensor or sequence of arrays
        A folder (searched with its subfolders, in the order of the names), paths of image files
        and folders, arrays (height, width, 3) of uint8 or of floats in [0, 1], or one array of
        all of them, (n, height, width, 3).

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder or file, or nothing that is an image.
    TypeError
        If `images` is none of these.

    Notes
    -----
    In folders, files are found that end in .bmp, .jpeg, .jpg, .png, .tif, .tiff and .webp. A file
    that is named is read whatever its ending, if Pillow knows its format: a .gif, for example.

    Every file becomes RGB of 8 bits: turned upright by its EXIF orientation; transparent pixels on
    white; grey repeated; 16 bits by their whole range. 32-bit integers and floats are refused,
    since nothing says what white is. Of an animation it is the first frame. Images of less than 8
    pixels on a side are refused. The shorter side is scaled, and the middle square cut out, by
    `load`.
    """

    def __init__(self, images: Any) -> None:
        self._items: list[Path | np.ndarray] = _list_images(images)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: slice | Sequence[int] | NDArray[np.integer]) -> ImageSource:
        """Select some of the images, as a source of its own."""
        chosen = self._items[index] if isinstance(index, slice) else [self._items[i] for i in index]
        return ImageSource(chosen)

    def __repr__(self) -> str:
        names = ", ".join(self.name(i) for i in range(min(3, len(self))))
        return f"<ImageSource: {len(self)} images, {names}{', ...' if len(self) > 3 else ''}>"

    def name(self, index: int) -> str:
        """Return the file name of an image, or its number where it came as an array."""
        item = self._items[index]
        return item.name if isinstance(item, Path) else f"image {index}"

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
        image : Tensor of shape (3, size, size), float32
            RGB in [0, 1].

        Raises
        ------
        ValueError
            If the file is not an image or is damaged; the message names it.
        """
        picture = self._decode(index)
        if min(picture.size) < _SMALLEST_SIDE:
            raise ValueError(
                f"{self._where(index)} has {picture.width} x {picture.height} pixels, and at least "
                f"{_SMALLEST_SIDE} x {_SMALLEST_SIDE} are needed: leave it out."
            )
        # fit() scales and crops in one antialiased step, and leaves pixels alone where it need not
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(picture, dtype=np.float32))
        return pixels.permute(2, 0, 1).contiguous() / 255.0

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
        self.load(index, _SMALLEST_SIDE)

    def _decode(self, index: int) -> Image.Image:
        item = self._items[index]
        if isinstance(item, np.ndarray):
            return Image.fromarray(_to_bytes(item))
        try:
            with Image.open(item) as picture:
                return _to_rgb(ImageOps.exif_transpose(picture), item, picture.format)
        except UnidentifiedImageError as error:
            raise ValueError(f"{item} is not an image, whatever its name says.") from error
        except Image.DecompressionBombError as error:
            raise ValueError(
                f"{item} cannot be decoded: {str(error).rstrip('.')}. Scale it down, or raise "
                "PIL.Image.MAX_IMAGE_PIXELS if you trust it."
            ) from error
        except (OSError, SyntaxError) as error:
            raise ValueError(f"{item} cannot be decoded: {str(error).rstrip('.')}.") from error


def load_ahead(load: Callable[[int], Tensor], indices: Iterable[int]) -> Iterator[Tensor]:
    """Load images one after another, the next in a thread of its own while one is worked on."""
    with ThreadPoolExecutor(1) as pool:
        under_way: deque[Future[Tensor]] = deque()
        for index in indices:
            under_way.append(pool.submit(load, index))
            if len(under_way) == 2:
                yield under_way.popleft().result()
        if under_way:
            yield under_way.pop().result()


def _list_images(images: Any) -> list[Path | np.ndarray]:
    if isinstance(images, ImageSource):
        return list(images._items)
    if isinstance(images, str | os.PathLike):
        return list(_list_folder(Path(images)))
    if isinstance(images, Tensor):
        images = images.detach().cpu().numpy()
    if not isinstance(images, Iterable):
        raise TypeError(
            "images are a folder, a sequence of paths, or arrays (height, width, 3); got "
            f"{images!r}."
        )
    if isinstance(images, np.ndarray) and images.ndim == 3:
        raise ValueError(
            f"One array of shape {images.shape} came where images were expected: give a list of "
            "images, or one array of shape (n, height, width, 3)."
        )
    items: list[Path | np.ndarray] = []
    for item in images:
        if isinstance(item, str | os.PathLike):
            items.extend(_list_folder(Path(item)))
        else:
            items.append(_check_array(np.asarray(item)))
    if not items:
        raise ValueError("No images: the list is empty.")
    return items


def _list_folder(folder: Path) -> list[Path]:
    if not folder.exists():
        is_pattern = any(sign in folder.name for sign in "*?[")
        hint = " Patterns are not expanded: give sorted(Path(...).glob(...))." if is_pattern else ""
        raise FileNotFoundError(f"No image file or folder at {folder}.{hint}")
    if folder.is_file():
        return [folder]
    paths = sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()
    )
    if not paths:
        raise ValueError(
            f"No images in {folder}: looked for files that end in {', '.join(IMAGE_SUFFIXES)}, "
            "in subfolders too."
        )
    return paths


def _check_array(image: np.ndarray) -> np.ndarray:
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise ValueError(
            f"An image array has shape (height, width, 3), channels last; got {image.shape}."
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


def _to_rgb(picture: Image.Image, path: Path, file_format: str | None) -> Image.Image:
    """Convert to 8-bit RGB by the value range of each mode: Pillow itself would clip."""
    if picture.mode == "I" and file_format == "TIFF":  # of other formats "I" has 16 bits
        raise ValueError(
            f"{path} holds 32-bit or signed integers of unknown range; convert it to 8 or 16 bits."
        )
    if picture.mode.startswith("I"):  # 16 bits a pixel, grey
        grey = np.asarray(picture, dtype=np.float64) / 65535.0
        if grey.min() < 0 or grey.max() > 1:
            raise ValueError(f"{path} has values beyond 16 bits; convert it to 8 or 16 bits.")
        return Image.fromarray(np.round(grey * 255).astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        raise ValueError(
            f"{path} holds floating-point values of unknown range; convert it to 8 or 16 bits."
        )
    if "A" in picture.getbands() or "transparency" in picture.info:
        # what lies behind transparent pixels is arbitrary, often black: show them on white
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def _to_bytes(image: np.ndarray) -> np.ndarray:
    return image if image.dtype == np.uint8 else np.round(image * 255).astype(np.uint8)
