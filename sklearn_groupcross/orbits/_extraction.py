"""From one image and some positions in it to orbit stacks."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..actions import ImageAction
from ..networks import Network, ReceptiveField


def draw_positions(n_positions: int, radius: float, seed: int, image_id: int) -> Tensor:
    """Draw positions uniformly from a disk about the image centre.

    They are continuous: on the layer's grid the identity block would be read at a unit and the
    others between units, which alone makes its norm larger. Every image has a generator
    of its own, so its positions do not depend on the images beside it.

    Returns
    -------
    positions : Tensor of shape (n_positions, 2), float32
        (column, row) in pixels from the image centre.
    """
    rng = np.random.default_rng((seed, image_id))
    distance = radius * np.sqrt(rng.random(n_positions))
    angle = 2 * math.pi * rng.random(n_positions)
    positions = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)
    return torch.from_numpy(positions.astype(np.float32))


def read_orbits(
    image: Tensor,
    positions: Tensor,
    *,
    action: ImageAction,
    network: Network,
    layer: str,
    field: ReceptiveField,
    batch_size: int,
) -> Tensor:
    """Read the orbit of every position: ``O[p, g] = a(g·x)`` at ``g·p``.

    Parameters
    ----------
    image : Tensor of shape (3, source_size, source_size)
        RGB in [0, 1], large enough to be turned without showing its corners.
    positions : Tensor of shape (n_positions, 2)
        (column, row) in pixels from the image centre.
    action : ImageAction
    network : Network
    layer : str
    field : ReceptiveField
        Of that layer at the input size to which the turned images are cropped.
    batch_size : int
        Transformed images that pass through the network at once.

    Returns
    -------
    orbits : Tensor of shape (n_positions, order, n_channels)
    """
    views = action.transform(image[None], field.input_size)[0]
    units = field.to_units(action.transform_positions(positions)).transpose(0, 1)
    blocks = [
        _read_maps(network.activations(views[start : start + batch_size], layer), at)
        for start, at in zip(range(0, len(views), batch_size), units.split(batch_size), strict=True)
    ]
    return torch.cat(blocks).transpose(0, 1).contiguous()


def _read_maps(maps: Tensor, units: Tensor) -> Tensor:
    """Interpolate maps (n, c, h, w) at fractional units (n, p, 2), giving (n, p, c)."""
    size = maps.new_tensor([maps.shape[-1], maps.shape[-2]])
    grid = (2 * units.to(maps) + 1) / size - 1
    values = F.grid_sample(maps, grid[:, None], padding_mode="border", align_corners=False)
    return values[:, :, 0].transpose(1, 2)
