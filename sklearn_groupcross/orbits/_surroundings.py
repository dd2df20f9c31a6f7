"""What is around the positions at which orbits are read: pixels, and activations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._ambient import own_state

if TYPE_CHECKING:
    from ._dataset import OrbitDataset

_FLOAT32: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}


@own_state()
def patches_around(
    dataset: OrbitDataset,
    images: Sequence[int],
    positions: Sequence[Any] | NDArray[np.floating],
    elements: Sequence[int],
    *,
    size: int | None = None,
) -> NDArray[np.float32]:
    """Cut out what lies about each position, as one element transforms it.

    Each image is decoded once, whatever is cut out of it. `OrbitDataset.patches_at` does the same
    for every position and every element.

    Parameters
    ----------
    dataset : OrbitDataset
    images : sequence of int, of length n
        Number of the image of every position.
    positions : sequence of array-like of shape (2,)
        (column, row) in pixels from the image centre.
    elements : sequence of int, of length n
        By which each is transformed.
    size : int, optional
        As `OrbitDataset.patches`.

    Returns
    -------
    patches : ndarray of shape (n, size, size, n_channels), float32
        Of the network's channels: RGB in [0, 1].
    """
    size = min(*dataset.field.size, dataset.field.input_size) if size is None else size
    shape = len(images), size, size, dataset.network.n_channels
    cut = np.empty(shape, dtype=np.float32)
    wanted = _by_view(images, elements)
    for index, of_image in groupby(sorted(wanted), key=itemgetter(0)):
        image = dataset.images.load(index, dataset.source_size)
        for view in of_image:
            rows = wanted[view]
            at = torch.stack([torch.as_tensor(positions[row], **_FLOAT32) for row in rows])
            alike = image.expand(len(rows), -1, -1, -1)
            patches = dataset.action.transform_about(alike, at, size, [view[1]])[:, 0]
            cut[rows] = patches.permute(0, 2, 3, 1).clamp(0, 1).numpy()
    return cut


def _by_view(images: Sequence[int], elements: Sequence[int]) -> dict[tuple[int, int], list[int]]:
    """Places of every image under every element, in the order in which they first come."""
    places: dict[tuple[int, int], list[int]] = {}
    for place, view in enumerate(zip(map(int, images), map(int, elements), strict=True)):
        places.setdefault(view, []).append(place)
    return places


@own_state()
def activations_around(
    dataset: OrbitDataset,
    images: Sequence[int],
    positions: Sequence[Any] | NDArray[np.floating],
    elements: Sequence[int],
    *,
    size: int,
    n_cells: int,
    batch_size: int = 8,
) -> NDArray[np.float32]:
    """Read the units that look at the cells of a square about each position.

    Each transformed image passes through the network once, whatever is read from it, and as it
    does where orbits are read, so that the middle of the square is the block of the orbit.

    Parameters
    ----------
    dataset : OrbitDataset
    images : sequence of int, of length n
        Number of the image of every position.
    positions : sequence of array-like of shape (2,)
        (column, row) in pixels from the image centre.
    elements : sequence of int, of length n
        By which each image is transformed.
    size : int
        Side of the square in pixels of the network's input, about the moved position.
    n_cells : int
        The square has so many rows and columns of cells; each takes the unit nearest to its centre.
    batch_size : int, default=8
        Images that pass through the network at once.

    Returns
    -------
    activations : ndarray of shape (n, n_cells, n_cells, n_channels), float32
        NaN beyond the map.
    """
    action, layers, fields = dataset.action, dataset.layers, dataset.fields
    offsets = (torch.arange(n_cells, **_FLOAT32) - (n_cells - 1) / 2) * (size / n_cells)
    square = torch.stack(torch.meshgrid(offsets, offsets, indexing="xy"), dim=-1)
    around = np.empty((len(images), n_cells, n_cells, dataset.n_channels), dtype=np.float32)
    center = torch.zeros(1, 2, **_FLOAT32)
    wanted = _by_view(images, elements)
    pairs = list(wanted)
    for start in range(0, len(pairs), batch_size):
        part = pairs[start : start + batch_size]
        views = []
        for index, of_image in groupby(part, key=itemgetter(0)):
            image = dataset.images.load(index, dataset.source_size)[None]
            chosen = [element for _, element in of_image]
            views.append(action.transform_about(image, center, fields[0].input_size, chosen)[0])
        maps = dataset.network.activations(torch.cat(views).to(dataset.device), layers)
        for row, pair in enumerate(part):
            for i in wanted[pair]:
                at = torch.as_tensor(positions[i], **_FLOAT32)
                cells = action.transform_positions(at)[pair[1]] + square
                blocks = [
                    _nearest_units(maps[layer][row], field.to_units(cells))
                    for layer, field in zip(layers, fields, strict=True)
                ]
                around[i] = torch.cat(blocks, dim=-1).cpu().numpy()
    return around


def _nearest_units(maps: torch.Tensor, units: torch.Tensor) -> torch.Tensor:
    """Take the units (..., 2), (column, row), of a map (channels, rows, columns)."""
    nearest = units.round().long()
    limits = torch.tensor([maps.shape[2] - 1, maps.shape[1] - 1], dtype=torch.int64, device="cpu")
    inside = ((nearest >= 0) & (nearest <= limits)).all(dim=-1)
    columns, rows = torch.minimum(nearest.clamp(min=0), limits).unbind(-1)
    taken = maps[:, rows.to(maps.device), columns.to(maps.device)].movedim(0, -1).cpu()
    return torch.where(inside[..., None], taken, torch.nan)
