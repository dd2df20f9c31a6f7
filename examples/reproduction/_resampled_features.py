"""Resampled shares, profiles and areas under curves: copies of a feature are drawn together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._statistics import Estimate, columns
from ._study import Study

FloatArray = NDArray[np.float64]


def draws(copies: ArrayLike, rng: np.random.Generator, n_resamples: int) -> FloatArray:
    """How often each feature is drawn, (n_resamples, n): groups of copies, as many as there are."""
    of_row = np.unique(np.asarray(copies), return_inverse=True)[1]
    n = of_row.max(initial=-1) + 1
    drawn = rng.multinomial(n, np.full(n, 1 / max(n, 1)), size=n_resamples)
    return drawn[:, of_row].astype(float)


def dealt_out(copies: ArrayLike, rng: np.random.Generator, n: int) -> Iterator[NDArray[np.int64]]:
    """Orders of features that move whole groups of copies to places of groups as large, n times."""
    of_row, sizes = np.unique(np.asarray(copies), return_inverse=True, return_counts=True)[1:]
    members = np.split(np.argsort(of_row, kind="stable"), np.cumsum(sizes)[:-1])
    alike = [
        np.array([members[group] for group in np.flatnonzero(sizes == size)])
        for size in np.unique(sizes)
    ]
    for _ in range(n):
        order = np.empty(len(of_row), dtype=np.int64)
        for places in alike:
            order[places] = rng.permuted(rng.permutation(places), axis=1)
        yield order


def weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Means of values (n,) or (n, k), one for each row of weights (r, n); NaN of nothing."""
    total = weights.sum(axis=1)
    total = np.where(total > 0, total, np.nan)
    sums: FloatArray = weights @ values
    return sums / (total if sums.ndim == 1 else total[:, None])


def weighted_auc(
    scores: FloatArray, positive: NDArray[np.bool_], weights: FloatArray
) -> FloatArray:
    """`auc` of positives against the rest, for each row of weights (r, n).

    Scores are (n,), or (r, n) where every row has its own.
    """
    of_positive, of_rest = weights[:, positive], weights[:, ~positive]
    if scores.ndim == 1:
        wins = of_positive @ _wins(scores, positive)
    else:
        wins = np.array([
            weight @ _wins(score, positive)
            for score, weight in zip(scores, of_positive, strict=True)
        ])  # fmt: skip
    total = of_positive.sum(axis=1) * of_rest.sum(axis=1)
    found: FloatArray = (wins * of_rest).sum(axis=1) / np.where(total > 0, total, np.nan)
    return found


def _wins(scores: FloatArray, positive: NDArray[np.bool_]) -> FloatArray:
    """Whether each positive scores higher than each of the rest; a half where they tie."""
    high, low = scores[positive][:, None], scores[~positive]
    won: FloatArray = (high > low) + 0.5 * (high == low)
    return won


def estimate(value: float, drawn: FloatArray, confidence: float) -> Estimate:
    """A value with quantiles of what was drawn; NaN where nothing could be."""
    known = drawn[np.isfinite(drawn)]
    if len(known) == 0:
        return Estimate(float(value), np.nan, np.nan)
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Estimate(float(value), float(low), float(high))


def flat(found: Estimate, prefix: str = "") -> dict[str, float]:
    """The columns of one row."""
    return {name: values[0] for name, values in columns([found], prefix).items()}


def share_row(
    values: FloatArray, weights: FloatArray, confidence: float, prefix: str = ""
) -> dict[str, float]:
    """Mean of values (n,), with its interval, as columns."""
    mean = values.mean() if len(values) else np.nan
    return flat(estimate(mean, weighted_mean(values, weights), confidence), prefix)


class Tested(NamedTuple):
    """A row of tests, and the AUC of every resample."""

    row: dict[str, Any]
    drawn: FloatArray


def tell_lines(
    study: Study,
    scores: FloatArray,
    classes: NDArray[np.object_],
    copies: NDArray[np.int64],
    weights: FloatArray,
    rng: np.random.Generator,
    *,
    others: tuple[str, ...] = ("curve",),
    drawn: FloatArray | None = None,
) -> Tested:
    """AUC for telling lines from others; by chance: scores dealt out among groups of copies.

    Parameters
    ----------
    study : Study
    scores : ndarray of shape (n,)
    classes : ndarray of shape (n,), of str
    copies : ndarray of shape (n,)
    weights : ndarray of shape (n_resamples, n)
        Of `draws`.
    rng : numpy.random.Generator
    others : tuple of str
        What lines are told from.
    drawn : ndarray of shape (n_resamples, n), optional
        Scores of each resample, if they differ.
    """
    confidence, line = study.config["confidence"], classes == "line"
    used = line | np.isin(classes, others)
    once = np.ones((1, int(used.sum())))
    value = weighted_auc(scores[used], line[used], once)[0]
    of_draws = scores[used] if drawn is None else drawn[:, used]
    samples = weighted_auc(of_draws, line[used], weights[:, used])
    dealt = np.array([
        weighted_auc(scores[order][used], line[used], once)[0]
        for order in dealt_out(copies, rng, study.config["n_resamples"])
    ])  # fmt: skip
    row: dict[str, Any] = {
        "n_lines": int(line.sum()),
        "n_others": int(used.sum() - line.sum()),
        "groups": len(np.unique(copies[used])),
    }
    row |= flat(estimate(value, samples, confidence))
    null = flat(estimate(float(np.mean(dealt)), dealt, confidence), "null")
    return Tested(row | null, samples)


def less(study: Study, first: Tested, second: Tested) -> dict[str, Any]:
    """The difference of two tests of different features, resampled apart."""
    value = first.row["value"] - second.row["value"]
    return flat(estimate(value, first.drawn - second.drawn, study.config["confidence"]))


def profile_rows(
    study: Study, reading: str, name: str, n: int, mean: FloatArray, drawn: FloatArray
) -> list[dict[str, Any]]:
    """A row for each turn of a mean profile (n_turns,) with resamples (n_resamples, n_turns)."""
    n_turns, confidence = study.config["n_turns"], study.config["confidence"]
    return [
        {"reading": reading, "class": name, "degrees": 360 * t / n_turns, "n": n}
        | flat(estimate(mean[t], drawn[:, t], confidence))
        for t in range(n_turns)
    ]
