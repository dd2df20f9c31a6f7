"""What the pictures show: small dictionaries of scikit-learn's photographs."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    SymmetryAnalyzer,
)

from ._drawing import SQUARE


@cache
def photograph() -> NDArray[np.uint8]:
    """A square of scikit-learn's photograph of a temple, as large as a source has to be."""
    side = OrbitDataset(load_sample_images().images, network="bundled", group=SQUARE).source_size
    return load_sample_images().images[0][90 : 90 + side, 40 : 40 + side]


@cache
def small_dictionary() -> tuple[OrbitDataset, NDArray[np.float32], GroupCrosscoder]:
    """A dictionary over the square's group, of both photographs in tiles."""
    side = photograph().shape[0]
    tiles = [
        image[top : top + side, left : left + side]
        for image in load_sample_images().images
        for top in range(0, image.shape[0] - side + 1, side)
        for left in range(0, image.shape[1] - side + 1, side)
    ]
    dataset = OrbitDataset(
        [photograph(), *tiles], network="bundled", group=SQUARE, n_positions=120, random_state=0
    )
    orbits = dataset.as_array()
    crosscoder = GroupCrosscoder(
        SQUARE, 96, activation="topk", k=6, augment=True, max_epochs=60, batch_size=256,
        random_state=0,
    ).fit(orbits)  # fmt: skip
    return dataset, orbits, crosscoder


@cache
def octagon_dictionary() -> tuple[OrbitDataset, NDArray[np.float32], SymmetryAnalyzer]:
    """Orbits under the octagon's group, and codes and analysis of a dictionary of them."""
    group = Dihedral(8)
    tiles = small_dictionary()[0].images
    dataset = OrbitDataset(tiles, network="bundled", group=group, n_positions=120, random_state=0)
    stack = dataset.as_array()
    fitted = GroupCrosscoder(
        group, 128, activation="topk", k=8, augment=True, max_epochs=60, batch_size=256,
        learning_rate=6e-3, random_state=0,
    ).fit(stack)  # fmt: skip
    return dataset, fitted.transform(stack), SymmetryAnalyzer().fit(fitted)
