"""On which inputs, transformed or not, features fire most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..crosscoder import GroupCrosscoder
from ._codes import codes_in_parts

# With more orbits, as many of them, evenly spaced, are read: each is encoded once an element.
_MAX_ORBITS = 20_000


class StrongestBlocks(NamedTuple):
    """Where, within each orbit, features fire most.

    Attributes
    ----------
    rows : ndarray of shape (n,), int64
        The orbits that were read.
    codes : ndarray of shape (n, n_features)
        The largest code of each feature on any block.
    blocks : ndarray of shape (n, n_features), of unsigned integers
        On which block, the first of several, which is the element that transforms the input. In the
        smallest type, since with the codes they are the largest thing that a report holds.
    """

    rows: NDArray[np.int64]
    codes: NDArray[np.floating]
    blocks: NDArray[np.unsignedinteger]


def strongest_blocks(
    crosscoder: GroupCrosscoder,
    orbits: Any,
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
    orbits : ndarray or StoredOrbits of shape (n_samples, order, n_channels)
    features : list of int
    transformed : bool, default=True
        Otherwise inputs are looked at as they are alone: the identity's block.
    progress : bool, default=False

    Returns
    -------
    strongest : StrongestBlocks
    """
    n_orbits, order, _ = orbits.shape
    rows = np.unique(np.linspace(0, n_orbits - 1, min(_MAX_ORBITS, n_orbits)).astype(np.int64))
    codes = np.empty((len(rows), len(features)), dtype=np.float32)
    blocks = np.empty(codes.shape, dtype=np.min_scalar_type(order - 1))
    in_parts = codes_in_parts(
        crosscoder,
        orbits,
        rows,
        order if transformed else 1,
        description="finding strongest inputs",
        progress=progress,
    )
    for part, of_elements in in_parts:
        largest, where = _largest(of_elements, blocks.dtype)
        codes[part], blocks[part] = largest[:, features], where[:, features]
    return StrongestBlocks(rows, codes, blocks)


def _largest(
    of_elements: Iterator[NDArray[Any]], dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The largest of arrays that come one after another, at each place, and which had it first."""
    largest = next(of_elements)
    where = np.zeros(largest.shape, dtype=dtype)
    for number, values in enumerate(of_elements, start=1):
        np.copyto(where, number, where=values > largest)
        np.maximum(largest, values, out=largest)
    return largest, where
