"""The images of ``groupcross demo``: tiles of two photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..groups import Dihedral
from ..networks import load_network
from ..orbits import OrbitDataset


def demo_images(device: str) -> list[NDArray[np.uint8]]:
    """Tiles of the two photographs that come with scikit-learn."""
    from sklearn.datasets import load_sample_images

    network = load_network("bundled")
    # scaled like any other image, a whole photograph would give few samples: cut tiles
    blank = [np.zeros((8, 8, 3), np.uint8)]
    side = OrbitDataset(blank, network=network, group=Dihedral(16), device=device).source_size
    return [tile for photo in load_sample_images().images for tile in cut_tiles(photo, side)]


def cut_tiles(image: NDArray[np.uint8], side: int) -> list[NDArray[np.uint8]]:
    """Cut an image into as many squares of `side` pixels as fit side by side."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    return [
        image[r * side : (r + 1) * side, c * side : (c + 1) * side]
        for r in range(rows)
        for c in range(columns)
    ]
