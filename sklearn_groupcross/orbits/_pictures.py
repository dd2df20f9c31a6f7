"""One picture: decoded from a file or taken from an array, and cut to a square."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

#: Eight bits in RGB, or floats in [0, 1]: grey (height, width), or (height, width, n_channels).
Picture: TypeAlias = "Image.Image | NDArray[np.floating]"

# Named, since Pillow goes by the content and hands some formats to other programs: PostScript, by
# whatever name, to Ghostscript.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
# Of 16 bits.
_WHITE = 65535


class RefusedError(ValueError):
    """A file that is sound and of no use: the text goes on where its name ends."""


def read_picture(path: Path) -> Picture:
    """Decode a file of RGB or grey, turned upright.

    Raises
    ------
    ValueError
        Naming the file, and why it cannot be used.
    """
    with explaining_decoders(path), Image.open(path, formats=known_formats()) as opened:
        picture, file_format = ImageOps.exif_transpose(opened), opened.format
        picture.load()
        check_values(picture, file_format)
        return _to_rgb(picture)


@contextmanager
def explaining_decoders(path: Path) -> Iterator[None]:
    """Say in words why a file cannot be decoded, whatever a decoder raises.

    Raises
    ------
    ValueError
        Naming the file. A library that is not there is no fault of it.
    """
    try:
        yield
    except ImportError:
        raise
    except RefusedError as error:
        raise ValueError(f"{path} {error}.") from None
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{path} is not an image, whatever its name says: it is of none of the formats "
            f"{', '.join(known_formats())}."
        ) from error
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{path} cannot be decoded: {str(error).rstrip('.')}. Scale it down, or raise "
            "PIL.Image.MAX_IMAGE_PIXELS if you trust it."
        ) from error
    except Exception as error:  # decoders raise anything when a file is damaged
        reason = str(error).rstrip(".") or type(error).__name__
        raise ValueError(f"{path} cannot be decoded: {reason}.") from error


def size_of(picture: Picture) -> tuple[int, int]:
    """Width and height in pixels."""
    if isinstance(picture, Image.Image):
        return picture.size
    return picture.shape[1], picture.shape[0]


def fit_square(picture: Picture, size: int, n_channels: int = 3) -> Tensor:
    """Scale the shorter side to `size` and cut out the central square.

    Returns
    -------
    square : Tensor of shape (n_channels, size, size), float32
        In [0, 1]. A file's RGB is made grey where one channel is asked for, grey is repeated.
    """
    if isinstance(picture, Image.Image):
        if n_channels == 1:
            picture = picture.convert("L")
        # to bytes, of which there are 255 steps: images of bytes are scaled as anybody scales them
        pixels = torch.from_numpy(np.array(_fit(picture, size), dtype=np.float32))
        return pixels.reshape(size, size, -1).permute(2, 0, 1).contiguous() / 255.0
    planes = picture[..., None] if picture.ndim == 2 else picture
    fitted = [
        np.array(_fit(Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32)), size))
        for plane in np.moveaxis(planes, -1, 0)
    ]
    # between dark and bright pixels, cubic curves leave the range
    return torch.from_numpy(np.stack(fitted)).clamp_(0, 1).expand(n_channels, -1, -1).contiguous()


def _fit(picture: Image.Image, size: int) -> Image.Image:
    # in one antialiased step, which leaves pixels alone where it need not scale
    return ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)


@cache
def known_formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this build of Pillow reads."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@cache
def known_suffixes() -> tuple[str, ...]:
    """How the names of files of those formats end, as Pillow has registered them."""
    formats = set(known_formats())
    registered = Image.registered_extensions().items()
    return tuple(sorted(suffix for suffix, name in registered if name in formats))


def is_grey(picture: Image.Image) -> bool:
    """Whether a picture has one value a pixel, which is no number in a palette."""
    return picture.mode[:1] in ("1", "L", "I", "F") and len(picture.getbands()) == 1


def check_values(picture: Image.Image, file_format: str | None) -> None:
    """See that something tells what white is.

    Raises
    ------
    RefusedError
        If nothing does.
    """
    problem = ""
    if picture.mode == "F":
        problem = "holds floating-point values of unknown range"
    elif picture.mode == "I" and file_format == "TIFF":  # of other formats "I" has 16 bits
        problem = "holds 32-bit or signed integers of unknown range"
    elif picture.mode.startswith("I"):
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > _WHITE:
            problem = "has values beyond 16 bits"
    if problem:
        raise RefusedError(f"{problem}; convert it to 8 or 16 bits")


def _to_rgb(picture: Image.Image) -> Picture:
    """Convert by the value range of each mode: Pillow itself would clip."""
    if picture.mode.startswith("I"):  # 16 bits a pixel, grey: more than bytes can tell
        gray = np.array(picture, dtype=np.float64) / _WHITE
        if isinstance(picture.info.get("transparency"), int):
            gray[np.asarray(picture) == picture.info["transparency"]] = 1.0
        return gray
    if "A" in picture.getbands() or "transparency" in picture.info:
        # what lies behind transparent pixels is arbitrary, often black: show them on white
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")
