"""Images as arrays: which there are, and what their values mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ._pictures import Picture

#: Types whose largest value is white, by kind and bytes.
_WHOLE_RANGE = {("u", 1): 255, ("u", 2): 65535, ("b", 1): 1}


def check_array(image: NDArray[Any], n_channels: int) -> NDArray[Any]:
    """See that an array is one image of so many channels.

    Parameters
    ----------
    image : ndarray of shape (height, width, n_channels), or (height, width) of one channel
        Of uint8, uint16 or bool, or of floats in [0, 1].
    n_channels : int

    Returns
    -------
    image : ndarray of shape (height, width, n_channels)

    Raises
    ------
    ValueError
        Saying what was expected, what came and what to do.
    """
    image = check_shape(image, n_channels)
    if (image.dtype.kind, image.dtype.itemsize) in _WHOLE_RANGE:
        return image
    if image.dtype.kind != "f":
        raise ValueError(
            "An image array is uint8 or uint16, of which the largest value is white, bool, or "
            f"floats in [0, 1]; got {image.dtype}, of which nothing says what white is. Divide by "
            "the value that is."
        )
    if not ((image >= 0) & (image <= 1)).all():
        low, high = np.min(image), np.max(image)
        raise ValueError(
            f"A floating-point image lies in [0, 1]; this one spans [{low:g}, {high:g}]. "
            "Divide by the value that is white, 255 or 65535, or pass uint8 or uint16."
        )
    return image


def check_shape(image: NDArray[Any], n_channels: int) -> NDArray[Any]:
    """See that an array has the shape of one image of so many channels; see `check_array`."""
    if image.ndim == 2 and n_channels == 1:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[-1] != n_channels or 0 in image.shape:
        raise ValueError(
            f"An image array has shape (height, width, {n_channels}), channels last; got "
            f"{image.shape}. Network(..., n_channels=...) says how many channels images have."
        )
    return image


def take_array(image: NDArray[Any]) -> Picture:
    """Make a picture of an array that was checked, its values in [0, 1] unless they are bytes."""
    white = _WHOLE_RANGE.get((image.dtype.kind, image.dtype.itemsize))
    if white is None:
        return image
    if white == 255:
        return (
            Image.fromarray(np.ascontiguousarray(image))
            if image.shape[-1] == 3
            else image.astype(np.float32) / 255
        )
    return image.astype(np.float64) / white
