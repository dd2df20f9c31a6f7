"""Bootstrap over families: features of one family are no independent witnesses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import connected_components

FloatArray = NDArray[np.floating]

# Below this number of units percentiles of the bootstrap say little.
MIN_UNITS = 5


def resampled_means(
    values: FloatArray,
    counted: NDArray[np.bool_],
    labels: NDArray[np.int64],
    n_resamples: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Means under resampling of families, averaged over several ways to measure.

    Parameters
    ----------
    values : ndarray of shape (n_ways, n_features)
    counted : ndarray of shape (n_ways, n_features), bool
        Which values enter the mean of each way.
    labels : ndarray of shape (n_ways, n_features), int64
        Family of every feature, -1 for features alone, which are families of one. Families of
        different ways that share a feature are resampled together.
    n_resamples : int
    rng : numpy.random.Generator

    Returns
    -------
    means : ndarray of shape (n_resamples,)
        Without the resamples in which a way has nothing to average; empty if there are fewer than
        `MIN_UNITS` families.
    """
    units = _joined_families(labels)[counted.any(axis=0)]
    _, units = np.unique(units, return_inverse=True)
    n_units = int(units.max(initial=-1)) + 1
    if n_units < MIN_UNITS:
        return np.empty(0)
    values, counted = values[:, counted.any(axis=0)], counted[:, counted.any(axis=0)]
    sums = np.stack(
        [
            np.bincount(units, np.where(c, v, 0.0), n_units)
            for v, c in zip(values, counted, strict=True)
        ]
    )
    sizes = np.stack([np.bincount(units, c, n_units) for c in counted])
    times = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_resamples)
    totals = times @ sizes.T
    means = (times @ sums.T)[(totals > 0).all(axis=1)] / totals[(totals > 0).all(axis=1)]
    return means.mean(axis=1)


def percentile_interval(means: FloatArray) -> tuple[float, float]:
    """Bounds of the 95 % interval; NaN without resamples."""
    if len(means) == 0:
        return float("nan"), float("nan")
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _joined_families(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the connected components of features that share a family in any way to measure."""
    n = labels.shape[1]
    memberships = []
    for way in labels:
        features = np.flatnonzero(way >= 0)
        shape = (int(way.max(initial=-1)) + 1, n)
        memberships.append(csr_array((np.ones(len(features)), (way[features], features)), shape))
    incidence = vstack(memberships, format="csr")
    _, units = connected_components(incidence.T @ incidence, directed=False)
    return units.astype(np.int64)
