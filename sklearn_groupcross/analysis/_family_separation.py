"""How clearly families that were formed on one half stand apart on the other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    silhouette_samples,
)

from ._clustering import cluster_families
from ._resampling import MIN_UNITS, percentile_interval, resampled_means

FloatArray = NDArray[np.floating]
Labels = NDArray[np.int64]


class _Silhouettes(NamedTuple):
    """Silhouettes of features, and which of them count; one row for each half measured."""

    values: FloatArray
    counted: NDArray[np.bool_]


def separation(
    distances: list[FloatArray],
    maps: list[NDArray[np.float32]] | None,
    truth: Labels | None,
    family_distance: float,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Measure families formed on each half on the distances of the other.

    Parameters
    ----------
    distances : list of two ndarray of shape (n, n)
        Between the same features, from each half.
    maps : list of two ndarray of shape (n, 2), or None
        Embeddings of them.
    truth : ndarray of shape (n,), int64, or None
        Known families; negative where unknown.
    family_distance : float
    n_resamples : int
    rng : numpy.random.Generator

    Returns
    -------
    row : dict
        Columns of `compare_separation`, from ``n_families`` on.
    """
    n = len(distances[0])
    alive = np.ones(n, dtype=bool)
    formed = [cluster_families(half, alive, family_distance) for half in distances]
    # families come from the half that is not measured
    labels = np.stack(formed[::-1])
    reasons = []
    row: dict[str, Any] = {
        "n_families": float(np.mean([families.max(initial=-1) + 1 for families in labels])),
        "share_in_families": float((labels >= 0).mean()) if n else np.nan,
        "reproducibility": np.nan,
    }
    if n >= 2:
        if all((families >= 0).any() for families in formed):
            row["reproducibility"] = float(adjusted_rand_score(*map(_alone_apart, formed)))
        else:  # features that are all alone agree about nothing
            reasons.append("reproducibility: no families in a half")

    planes = None if maps is None else [_euclidean(plane) for plane in maps]
    measures = {
        "silhouette": _silhouettes(labels, distances),
        "silhouette_all": _silhouettes(np.stack([*map(_alone_apart, labels)]), distances),
        "silhouette_map": None if planes is None else _silhouettes(labels, planes),
    }
    for name, measure in measures.items():
        value = low = high = np.nan
        if measure is None:
            reasons.append(f"{name}: no map was made")
        elif not measure.counted.any(axis=1).all():
            reasons.append(f"{name}: fewer than two families in a half")
        else:
            value = float(np.mean([v[c].mean() for v, c in zip(*measure, strict=True)]))
            low, high = percentile_interval(resampled_means(*measure, labels, n_resamples, rng))
            if np.isnan(low):
                reasons.append(f"{name}: fewer than {MIN_UNITS} families to draw from")
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}

    row["ari"] = row["ami"] = np.nan
    if truth is None:
        reasons.append("ari, ami: no labels")
    elif (truth >= 0).sum() < 2:
        reasons.append("ari, ami: fewer than two features with a label")
    else:
        scored = truth >= 0
        found = [_alone_apart(families)[scored] for families in labels]
        for name, agreement in (("ari", adjusted_rand_score), ("ami", adjusted_mutual_info_score)):
            row[name] = float(np.mean([agreement(truth[scored], families) for families in found]))
    return row | {"undefined": "; ".join(reasons)}


def _silhouettes(labels: Labels, distances: list[FloatArray]) -> _Silhouettes:
    """Silhouettes of features with a label, of each half; none where they are not defined."""
    values, counted = np.zeros(labels.shape), labels >= 0
    for i, (families, half) in enumerate(zip(labels, distances, strict=True)):
        inside = np.flatnonzero(families >= 0)
        # scikit-learn's condition
        if 2 <= len(np.unique(families[inside])) < len(inside):
            within = half[np.ix_(inside, inside)]
            values[i, inside] = silhouette_samples(within, families[inside], metric="precomputed")
        else:
            counted[i] = False
    return _Silhouettes(values, counted)


def _alone_apart(labels: Labels) -> Labels:
    """Give each feature alone (-1) a label of its own."""
    alone = labels < 0
    apart = labels.copy()
    apart[alone] = labels.max(initial=-1) + 1 + np.arange(alone.sum())
    return apart


def _euclidean(plane: NDArray[np.float32]) -> FloatArray:
    points = plane.astype(np.float64)
    return np.linalg.norm(points[:, None] - points[None], axis=2)
