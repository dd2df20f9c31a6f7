"""Images of any number of channels in red, green and blue."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_rgb(images: ArrayLike) -> NDArray[np.floating]:
    """Show images of any number of channels in three.

    Parameters
    ----------
    images : array-like of shape (..., n_channels)
        In [0, 1]. Three channels stay what they are and one is gray; of others each has a color of
        its own, evenly spaced around the hue circle, and where all are 1 it is white.

    Returns
    -------
    images : ndarray of shape (..., 3), float32 or float64
        In [0, 1]: values outside are clipped.

    Examples
    --------
    >>> from sklearn_groupcross.plotting import as_rgb
    >>> as_rgb([[0.5]]).tolist()
    [[0.5, 0.5, 0.5]]
    >>> as_rgb([[1.0, 0.0], [0.0, 1.0]]).tolist()  # red, and its complement
    [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]
    """
    given = np.asarray(images)
    given = given.astype(np.result_type(given, np.float32), copy=False)
    n_channels = given.shape[-1]
    if n_channels == 1:
        given = np.repeat(given, 3, axis=-1)
    elif n_channels != 3:
        colors = np.array([colorsys.hsv_to_rgb(i / n_channels, 1, 1) for i in range(n_channels)])
        given = given @ (colors / colors.sum(axis=0)).astype(given.dtype)
    return given.clip(0, 1)
