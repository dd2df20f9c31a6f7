"""Inputs that are no images, drawn: signals as curves, points from the side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..plotting import PALETTE, as_rgb

Picture = NDArray[np.uint8]
Draw = Callable[[NDArray[np.floating]], NDArray[np.floating]]

# Drawn so many times as large, and made smaller: lines are smooth then.
_FINER = 3


def draw_signal(signal: NDArray[np.floating], side: int) -> Picture:
    """Draw a signal (length,) or (n_channels, length), from its lowest to its highest value."""
    channels = _as_wide_as(np.atleast_2d(signal).astype(np.float64), side)
    low, extent = channels.min(), max(float(np.ptp(channels)), 1e-12)
    x = np.linspace(0.03, 0.97, channels.shape[1])
    image, pen = _blank(side)
    for i, channel in enumerate(channels):
        y = 0.94 - 0.88 * (channel - low) / extent
        points = [(a * side * _FINER, b * side * _FINER) for a, b in zip(x, y, strict=True)]
        pen.line(points, fill=PALETTE[i % len(PALETTE)], width=2 * _FINER, joint="curve")
    return _smaller(image, side)


def _as_wide_as(channels: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """A long signal by its lowest and highest value in as many parts as a picture shows."""
    n_parts = side * _FINER
    if channels.shape[1] <= 4 * n_parts:
        return channels
    parts = np.array_split(channels, n_parts, axis=1)
    ends = [np.stack([part.min(axis=1), part.max(axis=1)], axis=1) for part in parts]
    return np.concatenate(ends, axis=1)


def draw_points(points: NDArray[np.floating], side: int) -> Picture:
    """Draw points (n_points, 2 or 3): the first axis to the right, the second up, near ones dark.

    Of three axes the third points towards the viewer, from a little above and to the right.
    """
    spread = points.astype(np.float64) - points.mean(axis=0)
    if spread.shape[1] == 3:
        turn, tilt = np.deg2rad([25.0, 20.0])
        x, y, z = spread.T
        x, z = x * np.cos(turn) + z * np.sin(turn), z * np.cos(turn) - x * np.sin(turn)
        y, z = y * np.cos(tilt) - z * np.sin(tilt), z * np.cos(tilt) + y * np.sin(tilt)
        spread = np.stack([x, y, z], axis=1)
    farthest = max(float(np.abs(spread).max()), 1e-12)
    depth = spread[:, 2] / farthest if spread.shape[1] == 3 else np.ones(len(spread))
    image, pen = _blank(side)
    for i in np.argsort(depth, kind="stable"):
        middle = (0.5 + 0.42 * spread[i, :2] / farthest * [1, -1]) * side * _FINER
        radius = side * _FINER * (0.03 + 0.02 * (depth[i] + 1) / 2)
        shade = round(170 - 75 * (depth[i] + 1))
        box = [*(middle - radius), *(middle + radius)]
        pen.ellipse(box, fill=(max(shade, 0), max(shade, 0) // 2 + 40, 178))
    return _smaller(image, side)


def draw_image(image: NDArray[np.floating], side: int) -> Picture:
    """Draw an image (height, width) or (n_channels, height, width), from its lowest value up.

    Values in [0, 1] are taken as they are.
    """
    channels = image[None] if image.ndim == 2 else image
    if channels.min() < 0 or channels.max() > 1:
        extent = max(float(np.ptp(channels)), 1e-12)
        channels = (channels - channels.min()) / extent
    return resized(as_rgb(np.moveaxis(channels, 0, -1)), side)


def resized(picture: NDArray[np.floating], side: int) -> Picture:
    """Scale a picture (height, width, 3) in [0, 1] to (side, side, 3) bytes."""
    image = Image.fromarray(np.round(picture * 255).astype(np.uint8))
    # of a few pixels each stays a square
    few = max(picture.shape[:2]) <= side // 3
    how = Image.Resampling.NEAREST if few else Image.Resampling.BICUBIC
    return np.asarray(image.resize((side, side), how))


def _blank(side: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (side * _FINER, side * _FINER), "white")
    return image, ImageDraw.Draw(image)


def _smaller(image: Image.Image, side: int) -> Picture:
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))
