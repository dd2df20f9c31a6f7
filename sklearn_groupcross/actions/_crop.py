"""Cutting squares out of the middle of images, and how large the images must be."""

from __future__ import annotations

import math

from torch import Tensor


def check_images(images: Tensor) -> None:
    """Refuse what is no floating-point tensor (n_images, n_channels, height, width)."""
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(
            "Images are a floating-point tensor (n_images, n_channels, height, width); "
            f"got {images.dtype} of shape {tuple(images.shape)}."
        )


def required_source_size(size: int) -> int:
    """Side of the smallest source, of the crop's parity, whose turns never show a corner.

    Parameters
    ----------
    size : int
        Side of the crop in pixels.

    Returns
    -------
    source_size : int
        In pixels.
    """
    side = math.ceil((size - 1) * math.sqrt(2) + 1)
    return side + (side - size) % 2  # of the same parity, or a row is dropped to centre the crop


def center_crop(images: Tensor, size: int) -> Tensor:
    """Cut the central square of `size` pixels out of images of the same parity or larger.

    Parameters
    ----------
    images : Tensor of shape (..., height, width)
    size : int
        Side of the result in pixels.

    Returns
    -------
    cropped : Tensor of shape (..., size, size)
        A view.
    """
    top, left = (images.shape[-2] - size) // 2, (images.shape[-1] - size) // 2
    return images[..., top : top + size, left : left + size]


def cut_center(images: Tensor, size: int) -> Tensor:
    """`center_crop` for images of either parity; refuses those that are too small."""
    height, width = images.shape[-2:]
    if min(height, width) < size:
        raise ValueError(
            f"The source images are {width} x {height} pixels, smaller than the {size} px asked "
            "for; resize them first."
        )
    return center_crop(match_parity(images, size), size)


def match_parity(images: Tensor, size: int) -> Tensor:
    """Drop a last row or column so that the crop sits exactly in the middle of what remains."""
    height, width = (n - (n - size) % 2 for n in images.shape[-2:])
    return images[..., :height, :width]
