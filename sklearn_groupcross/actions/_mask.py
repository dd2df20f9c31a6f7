"""A circular mask: what every turn of a square image sees alike."""

from __future__ import annotations

import torch
from torch import Tensor


def circular_mask(
    size: int,
    radius: float | None = None,
    softness: float = 2.0,
    *,
    center: tuple[float, float] = (0.0, 0.0),
    device: torch.device | str | None = None,
) -> Tensor:
    """Weights that are 1 inside a disk and fall to 0 at its edge.

    Parameters
    ----------
    size : int
        Side of the square in pixels.
    radius : float, optional
        Radius of the disk in pixels, at which the weight reaches 0. Default: the largest for which
        the disk lies within the square, ``size / 2`` if it is centred.
    softness : float, default=2.0
        Width in pixels of the linear fall from 1 to 0.
    center : (float, float), default=(0.0, 0.0)
        Centre of the disk, (column, row) in pixels from that of the square.
    device : torch.device or str, optional
        Default: the CPU.

    Returns
    -------
    mask : Tensor of shape (size, size), float32
        If centred: equal, bit for bit, under the eight symmetries of the square.
    """
    column, row = center
    radius = size / 2 - max(abs(column), abs(row)) if radius is None else radius
    device = "cpu" if device is None else device
    u = torch.arange(size, device=device, dtype=torch.float32) - (size - 1) / 2
    distance = ((u[None, :] - column) ** 2 + (u[:, None] - row) ** 2).sqrt()
    return ((radius - distance) / softness).clamp(0, 1)
