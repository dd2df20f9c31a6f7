"""On which inputs, transformed or not, features fire most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._progress import tqdm
from ..crosscoder import GroupCrosscoder
from ._codes import codes_under

# With more orbits, as many of them, evenly spaced, are read: each is encoded once an element.
_MAX_ORBITS = 20_000
# Codes of all blocks of some orbits at a time: this many bytes of float32.
_BYTES_OF_CODES = 2**27


class StrongestBlocks(NamedTuple):
    """Where, within each orbit, features fire most.

    Attributes
    ----------
    rows : ndarray of shape (n,), int64
        The orbits that were read.
    codes : ndarray of shape (n, n_features)
        The largest code of each feature on any block.
    blocks : ndarray of shape (n, n_features), int64
        On which block, which is the element that transforms the input.
    """

    rows: NDArray[np.int64]
    codes: NDArray[np.floating]
    blocks: NDArray[np.int64]


def strongest_blocks(
    crosscoder: GroupCrosscoder,
    orbits: NDArray[np.floating],
    features: list[int],
    *,
    transformed: bool = True,
    progress: bool = False,
) -> StrongestBlocks:
    """Find the transformed input of each orbit on which each feature fires most.

    Images may hold hardly an untransformed input of a feature that has an orientation: what would
    be shown as its strongest would be weak, and say little about it.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
    orbits : ndarray of shape (n_samples, order, n_channels)
    features : list of int
    transformed : bool, default=True
        Otherwise inputs are looked at as they are alone: the identity's block.
    progress : bool, default=False

    Returns
    -------
    strongest : StrongestBlocks
    """
    n_orbits, order, _ = orbits.shape
    order = order if transformed else 1
    rows = np.unique(np.linspace(0, n_orbits - 1, min(_MAX_ORBITS, n_orbits)).astype(np.int64))
    step = max(1, _BYTES_OF_CODES // (4 * order * len(crosscoder.components_)))
    codes = np.empty((len(rows), len(features)), dtype=np.float32)
    blocks = np.empty(codes.shape, dtype=np.int64)
    starts = range(0, len(rows), step)
    for start in tqdm(starts, desc="finding strongest inputs", disable=not progress):
        part = slice(start, start + step)
        stacks = np.asarray(orbits[rows[part]])
        of_part = codes_under(crosscoder, stacks, range(order))[:, :, features]
        blocks[part] = of_part.argmax(axis=1)
        codes[part] = of_part.max(axis=1)
    return StrongestBlocks(rows, codes, blocks)
