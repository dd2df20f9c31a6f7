"""What elements change: codes on strongest inputs, transformed by all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..crosscoder import GroupCrosscoder
from ._codes import codes_in_parts
from ._kept import Arrays
from ._strongest import StrongestBlocks


def measure_responses(
    features: Sequence[int],
    best: Sequence[Sequence[int]],
    *,
    crosscoder: GroupCrosscoder,
    orbits: Any,
    strongest: StrongestBlocks,
    progress: bool = False,
) -> Arrays:
    """Measure codes on strongest inputs under every element.

    Features share orbits: each is read and encoded once.

    Parameters
    ----------
    features : sequence of int
        Those of the columns of `strongest`.
    best : sequence of sequence of int
        Of each feature, places of inputs among those of `strongest`.
    crosscoder : GroupCrosscoder
    orbits : ndarray or StoredOrbits of shape (n_samples, order, n_channels)
    strongest : StrongestBlocks
    progress : bool, default=False

    Returns
    -------
    responses : dict of str to ndarray
        ``mean`` and ``spread`` (n_features, order) of the codes on h·y relative to that on y, where
        y is the input that excites; NaN where there is none. ``n_responses`` (n_features,).
    """
    table = crosscoder.group_.cayley_table
    n_responses = np.array([len(places) for places in best], dtype=np.int64)
    of_feature = np.repeat(np.arange(len(features)), n_responses)
    places = np.concatenate([np.zeros(0, np.int64), *best]).astype(np.int64)
    codes = _codes_on(
        strongest.rows[places],
        np.asarray(features, dtype=np.int64)[of_feature],
        crosscoder,
        orbits,
        progress,
    )
    # where y = g·x, block h·g of the orbit of x is the identity block of that of h·y
    blocks = strongest.blocks[places, of_feature]
    on_moved = np.take_along_axis(codes, table[:, blocks].T, axis=1)
    relative = on_moved / on_moved[:, :1]
    mean = np.full((len(features), len(table)), np.nan, dtype=np.float32)
    spread = mean.copy()
    ends = n_responses.cumsum()
    for row in np.flatnonzero(n_responses):
        of_row = relative[ends[row] - n_responses[row] : ends[row]]
        mean[row], spread[row] = of_row.mean(axis=0), of_row.std(axis=0)
    return {"mean": mean, "spread": spread, "n_responses": n_responses}


def _codes_on(
    rows: NDArray[np.int64],
    features: NDArray[np.int64],
    crosscoder: GroupCrosscoder,
    orbits: Any,
    progress: bool,
) -> NDArray[np.float32]:
    """Codes under every element, of shape (n, order), of one feature on each row of the orbits."""
    needed, place = np.unique(rows, return_inverse=True)
    by_place = np.argsort(place, kind="stable")
    sorted_places, order = place[by_place], crosscoder.group_.order
    codes = np.empty((len(rows), order), dtype=np.float32)
    in_parts = codes_in_parts(
        crosscoder, orbits, needed, order, description="measuring responses", progress=progress
    )
    for part, of_elements in in_parts:
        ends = np.searchsorted(sorted_places, [part.start, part.stop])
        those = by_place[slice(*ends)]
        for element, found in enumerate(of_elements):
            codes[those, element] = found[place[those] - part.start, features[those]]
    return codes
