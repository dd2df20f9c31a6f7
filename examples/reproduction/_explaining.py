"""What dictionaries explain of photographs held out, with intervals over seeds and photographs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sklearn_groupcross import GroupCrosscoder

from ._reading_ways import Array, Orbits
from ._statistics import Estimate, combined, over_groups, over_seeds
from ._study import Study


def unexplained(dictionary: GroupCrosscoder, orbits: Orbits) -> Array:
    """Of each photograph the squared error, and what there was to explain: (n_photographs, 2)."""
    numbers = np.unique(orbits.photographs)
    mean = orbits.values.astype(np.float32).mean(axis=0).reshape(-1)
    rows = []
    for i in numbers:
        part = orbits.values[orbits.photographs == i].astype(np.float32)
        X = part.reshape(len(part), -1)
        error = X - dictionary.inverse_transform(dictionary.transform(X))
        rows.append([np.square(error).sum(), np.square(X - mean).sum()])
    return np.array(rows, dtype=np.float64)


def explained_variance(study: Study, errors: Array, rng: np.random.Generator) -> Estimate:
    """Explained variance held out; the interval is over seeds and photographs."""

    def explained(rows: NDArray[np.int64]) -> Array:
        of_seeds = errors[:, rows].sum(axis=1)
        return np.asarray(1 - of_seeds[:, 0] / of_seeds[:, 1])

    n = errors.shape[1]
    return combined(
        over_seeds(explained(np.arange(n)), study.config["confidence"]),
        over_photographs(study, lambda rows: float(explained(rows).mean()), n, rng),
    )


def gain_over(study: Study, first: Array, second: Array, rng: np.random.Generator) -> Estimate:
    """Explained variance of the first less that of the second, on the same photographs."""

    def gain(rows: NDArray[np.int64]) -> Array:
        a, b = (errors[:, rows].sum(axis=1) for errors in (first, second))
        return np.asarray(b[:, 0] / b[:, 1] - a[:, 0] / a[:, 1])

    n = first.shape[1]
    return combined(
        over_seeds(gain(np.arange(n)), study.config["confidence"]),
        over_photographs(study, lambda rows: float(gain(rows).mean()), n, rng),
    )


def over_photographs(
    study: Study,
    statistic: Callable[[NDArray[np.int64]], float],
    n: int,
    rng: np.random.Generator,
) -> Estimate:
    """Bootstrap n photographs."""
    resamples, confidence = study.config["n_resamples"], study.config["confidence"]
    return over_groups(statistic, np.arange(n), rng, resamples, confidence)
