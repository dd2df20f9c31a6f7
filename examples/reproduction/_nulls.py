"""Dictionaries with nothing in common with the network, as smooth as those that have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def signs_at_random(blocks: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.floating]:
    """Each atom with channels of random sign: as smooth, of the same profile, kin of none.

    Parameters
    ----------
    blocks : ndarray of shape (m, order, n_channels)
    rng : numpy.random.Generator
    """
    signs = rng.integers(0, 2, (len(blocks), 1, blocks.shape[2])) * 2 - 1
    return blocks * signs.astype(blocks.dtype)


def blocks_dealt_out(
    blocks: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.floating]:
    """Each atom with its blocks in an order of its own.

    Parameters
    ----------
    blocks : ndarray of shape (m, order, n_channels)
    rng : numpy.random.Generator
    """
    order = rng.permuted(np.tile(np.arange(blocks.shape[1]), (len(blocks), 1)), axis=1)
    return np.take_along_axis(blocks, order[..., None], axis=1)
