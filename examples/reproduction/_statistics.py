"""Intervals and tests that all stages share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


class Estimate(NamedTuple):
    """A value with its interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def over_seeds(values: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean over seeds with Student's interval; without width known, of one seed: NaN.

    Parameters
    ----------
    values : array-like of shape (n_seeds,)
    confidence : float, default=0.95
    """
    sample = np.asarray(values, dtype=float)
    mean = float(sample.mean())
    if len(sample) < 2:
        return Estimate(mean, np.nan, np.nan)
    half = stats.t.ppf((1 + confidence) / 2, len(sample) - 1) * stats.sem(sample)
    return Estimate(mean, mean - float(half), mean + float(half))


def over_pairs(shares: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean over pairs of seeds; its interval by leaving out one seed at a time.

    A seed is in many pairs: taken for independent, they would make the interval too narrow. It
    takes three seeds.

    Parameters
    ----------
    shares : array-like of shape (n_seeds, n_seeds)
        NaN where there is no pair.
    confidence : float, default=0.95
    """
    of_pairs = np.asarray(shares, dtype=float)
    n = len(of_pairs)
    mean = float(np.nanmean(of_pairs)) if np.isfinite(of_pairs).any() else float("nan")
    if n < 3 or np.isnan(mean):
        return Estimate(mean, np.nan, np.nan)
    without = [np.delete(np.delete(of_pairs, s, axis=0), s, axis=1) for s in range(n)]
    means = np.array([np.nanmean(each) if np.isfinite(each).any() else mean for each in without])
    error = np.sqrt((n - 1) / n * np.square(means - means.mean()).sum())
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1) * error)
    return Estimate(mean, mean - half, mean + half)


def combined(first: Estimate, *others: Estimate) -> Estimate:
    """The first value, with intervals of several sources of chance added in quadrature.

    For example over seeds and over photographs. An interval that is not known stays unknown.
    """
    low = np.sqrt(sum((each.value - each.low) ** 2 for each in (first, *others)))
    high = np.sqrt(sum((each.high - each.value) ** 2 for each in (first, *others)))
    return Estimate(first.value, float(first.value - low), float(first.value + high))


def over_groups(
    statistic: Callable[[NDArray[np.int64]], float],
    groups: ArrayLike,
    rng: np.random.Generator,
    n_resamples: int = 1000,
    confidence: float = 0.95,
) -> Estimate:
    """Bootstrap whole groups: rows of one photograph, or features of one dictionary, together.

    Parameters
    ----------
    statistic : callable
        Of rows (indices, with repetitions).
    groups : array-like of shape (n,)
        What each row belongs to.
    rng : numpy.random.Generator
    n_resamples : int, default=1000
    confidence : float, default=0.95
    """
    of_row = np.unique(np.asarray(groups), return_inverse=True)[1]
    rows_of = np.split(np.argsort(of_row, kind="stable"), np.cumsum(np.bincount(of_row))[:-1])

    def draw() -> NDArray[np.int64]:
        return np.concatenate([rows_of[i] for i in rng.integers(len(rows_of), size=len(rows_of))])

    drawn = np.array([statistic(draw()) for _ in range(n_resamples)])
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(drawn, [tail, 100 - tail])
    return Estimate(float(statistic(np.arange(len(of_row)))), float(low), float(high))


def paired(first: ArrayLike, second: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean difference, first less second, of two kinds with the same seeds."""
    return over_seeds(np.subtract(first, second), confidence)


def auc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Probability that a positive scores higher than another; NaN where there are none of one."""
    values, is_positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    n, m = int(is_positive.sum()), int((~is_positive).sum())
    if not n or not m:
        return float("nan")
    return float((stats.rankdata(values)[is_positive].sum() - n * (n + 1) / 2) / (n * m))


def detectable(spread: float, n_seeds: int, power: float = 0.8, confidence: float = 0.95) -> float:
    """Smallest mean difference that a paired comparison over seeds sees with this power.

    Parameters
    ----------
    spread : float
        Standard deviation of the paired difference.
    n_seeds : int
    power : float, default=0.8
    confidence : float, default=0.95
    """
    limit = stats.t.ppf((1 + confidence) / 2, n_seeds - 1)

    def reached(shift: float) -> float:
        return float(stats.nct.sf(limit, n_seeds - 1, shift * np.sqrt(n_seeds)))

    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if reached(middle) < power else (low, middle)
    return spread * high


def columns(estimates: Sequence[Estimate], prefix: str = "") -> dict[str, list[float]]:
    """Columns ``value``, ``low``, ``high`` of a table, with a prefix if there are several."""
    names = (f"{prefix}_{field}" if prefix else field for field in Estimate._fields)
    return {name: [e[i] for e in estimates] for i, name in enumerate(names)}
