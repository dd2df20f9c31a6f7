"""A circular mask: what every turn of a square image sees alike."""

from __future__ import annotations

import torch
from torch import Tensor


def circular_mask(
    size: int,
    radius: float | None = None,
    softness: float = 2.0,
    *,
    device: torch.device | str | None = None,
) -> Tensor:
    """Weights that are 1 inside a centred disk and fall to 0 at its edge.

    Parameters
    ----------
    size : int
        Side of the square in pixels.
    radius : float, optional
        Radius of the disk in pixels, at which the weight reaches 0. Default: ``size / 2``.
    softness : float, default=2.0
        Width in pixels of the linear fall from 1 to 0.
    device : torch.device or str, optional

    Returns
    -------
    mask : Tensor of shape (size, size), float32
        Equal, bit for bit, under the eight symmetries of the square.
    """
    radius = size / 2 if radius is None else radius
    u = torch.arange(size, device=device, dtype=torch.float32) - (size - 1) / 2
    distance = (u[None, :] ** 2 + u[:, None] ** 2).sqrt()
    return ((radius - distance) / softness).clamp(0, 1)
