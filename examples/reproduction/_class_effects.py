"""How far class scores moved: of photographs, and of classes over photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._ablation import log_probabilities
from ._statistics import Estimate, combined, over_seeds

FloatArray = NDArray[np.float64]

#: What is said of a change: the mean divergence in nats, the drop of the class that the network
#: named, the drop of the classes hit hardest, and their share of all that classes lose.
STATISTICS = ("kl", "named", "worst", "share")


class Changes:
    """What scores are held against, over resamples of the photographs.

    The classes that are hit hardest are chosen on one half of the photographs and judged on the
    other, both ways: chosen and judged on the same, some are hit by chance. Both are the same
    whatever the classes are where a change has nothing to do with them.

    Parameters
    ----------
    original : ndarray of shape (n, n_classes)
    rng : numpy.random.Generator
    n_resamples : int
    worst : float
        Share of the classes that count as hit hardest.
    """

    def __init__(
        self, original: FloatArray, rng: np.random.Generator, n_resamples: int, worst: float
    ) -> None:
        self.log_p = log_probabilities(original)
        self.named = self.log_p.argmax(axis=1)
        n, n_classes = self.log_p.shape
        self.n_worst = max(1, round(worst * n_classes))
        order = rng.permutation(n)
        self.halves = order[: n // 2], order[n // 2 :]
        #: Of every resample how often each photograph; the first has each once.
        self.weights = np.ones((n_resamples + 1, n))
        for half in self.halves:
            odds = np.full(len(half), 1 / len(half))
            self.weights[1:, half] = rng.multinomial(len(half), odds, size=n_resamples)

    def of_classes(self, scores: FloatArray) -> FloatArray:
        """Change of each class's logit against all others, (n, n_classes)."""
        change = log_probabilities(scores) - self.log_p
        return np.asarray(change - change.mean(axis=1, keepdims=True))

    def of_photographs(self, scores: FloatArray) -> dict[str, FloatArray]:
        """Divergence, drop of the class that was named, and whether it still is, (n,)."""
        log_q = log_probabilities(scores)
        rows = np.arange(len(log_q))
        return {
            "kl": (np.exp(self.log_p) * (self.log_p - log_q)).sum(axis=1),
            "named": (self.log_p - log_q)[rows, self.named],
            "agreement": (log_q.argmax(axis=1) == self.named).astype(float),
        }

    def mean(self, values: FloatArray) -> FloatArray:
        """Means of photographs' values, of all resamples."""
        return np.asarray(self.weights @ values / self.weights.sum(axis=1))

    def summary(self, scores: FloatArray) -> dict[str, FloatArray]:
        """`STATISTICS` of all resamples."""
        found = {name: self.mean(v) for name, v in self.of_photographs(scores).items()}
        change = self.of_classes(scores)
        first, second = (self.weights[:, half] @ change[half] / len(half) for half in self.halves)
        judged = [self._hardest(first, second), self._hardest(second, first)]
        found["worst"], found["share"] = np.mean(judged, axis=0)
        return found

    def _hardest(self, chosen_on: FloatArray, judged_on: FloatArray) -> tuple[FloatArray, ...]:
        hit = np.argpartition(chosen_on, self.n_worst - 1, axis=1)[:, : self.n_worst]
        lost = -np.take_along_axis(judged_on, hit, axis=1)
        with np.errstate(invalid="ignore"):  # nothing changed: no share
            share = lost.sum(axis=1) / np.maximum(-judged_on, 0).sum(axis=1)
        return lost.mean(axis=1), share


def over_photographs(values: FloatArray, confidence: float) -> Estimate:
    """Of the photographs as they are (first), with the interval of the resamples (all others)."""
    tail = 50 * (1 - confidence)
    low, high = np.percentile(values[1:], [tail, 100 - tail])
    return Estimate(float(values[0]), float(low), float(high))


def over_both(values: ArrayLike, confidence: float) -> Estimate:
    """Mean over seeds, with intervals over seeds and over photographs combined.

    Parameters
    ----------
    values : array-like of shape (n_seeds, n_resamples + 1)
        The first column is of the photographs as they are. NaN anywhere makes the interval NaN:
        resamples that are undefined are no smaller set of resamples.
    confidence : float
    """
    of_seeds = np.atleast_2d(np.asarray(values, dtype=float))
    if not of_seeds.size:
        return Estimate(np.nan, np.nan, np.nan)
    return combined(
        over_seeds(of_seeds[:, 0], confidence),
        over_photographs(of_seeds.mean(axis=0), confidence),
    )
