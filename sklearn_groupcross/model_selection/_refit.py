"""Rules that choose one candidate of a search: ``GridSearchCV(refit=SparsestWithin())``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KEYS = ("mean_test_neg_l0", "mean_test_explained_variance")


@dataclass(frozen=True)
class SparsestWithin:
    """The sparsest candidate that explains almost as much as the best one.

    Explained variance alone always prefers the weakest penalty. This takes, among the candidates
    whose mean explained variance is at most `tolerance` below the best, the one with the smallest
    mean L0; of equally sparse ones the one that explains more, and then the first.

    Parameters
    ----------
    tolerance : float, default=0.02
        In explained variance, absolute: 0.02 gives up two percent of the variance.

    Examples
    --------
    >>> from sklearn_groupcross.model_selection import SparsestWithin
    >>> results = {
    ...     "mean_test_explained_variance": [0.99, 0.98, 0.70],
    ...     "mean_test_neg_l0": [-40.0, -12.0, -3.0],
    ... }
    >>> SparsestWithin(0.02)(results)
    1
    """

    tolerance: float = 0.02

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        """Index of the chosen candidate in ``cv_results_``."""
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance={self.tolerance!r} must not be negative.")
        l0, explained = read_frontier(cv_results)
        # a failed fit is NaN and never eligible; the slack lets a tie in decimals be one in binary
        threshold = np.nanmax(explained) - self.tolerance - 1e-12
        return min(
            np.flatnonzero(explained >= threshold).tolist(),
            key=lambda i: (l0[i], -explained[i], i),
        )


@dataclass(frozen=True)
class KneePoint:
    """The candidate at the knee of the sparsity-fidelity frontier.

    Where a little more fidelity begins to cost many more codes. Of the candidates, those remain
    that no other beats in both L0 and explained variance. On log L0 and explained variance, each
    scaled to [0, 1], the knee is the point farthest above the chord from the sparsest to the most
    faithful: the definition of Kneedle [1]_, without its smoothing. If none is above the chord,
    the most faithful is taken. Candidates without any active code are left out, unless there are
    no others.

    The chord hangs on the ends of the grid: another grid can have another knee.

    References
    ----------
    .. [1] Satopaa, Albrecht, Irwin & Raghavan (2011), "Finding a 'Kneedle' in a Haystack:
       Detecting Knee Points in System Behavior", ICDCS workshops.

    Examples
    --------
    >>> from sklearn_groupcross.model_selection import KneePoint
    >>> results = {
    ...     "mean_test_explained_variance": [0.99, 0.98, 0.70],
    ...     "mean_test_neg_l0": [-40.0, -12.0, -3.0],
    ... }
    >>> KneePoint()(results)
    1
    """

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        """Index of the chosen candidate in ``cv_results_``."""
        l0, explained = read_frontier(cv_results)
        fitted = np.isfinite(explained)
        if (fitted & (l0 > 0)).any():
            fitted &= l0 > 0
        candidates = sorted(
            np.flatnonzero(fitted).tolist(), key=lambda i: (l0[i], -explained[i], i)
        )
        frontier: list[int] = []
        for i in candidates:
            if not frontier or explained[i] > explained[frontier[-1]]:
                frontier.append(i)
        if len(frontier) < 3:
            return frontier[-1]
        cost = _to_unit(np.log(l0[frontier]))
        height = _to_unit(explained[frontier]) - cost
        best = int(np.argmax(height))
        return frontier[best] if height[best] > 0 else frontier[-1]


def read_frontier(
    cv_results: Mapping[str, Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sparsity and fidelity of every candidate of a search.

    Parameters
    ----------
    cv_results : mapping
        The ``cv_results_`` of a search that was scored with `score_crosscoder`.

    Returns
    -------
    l0 : ndarray of shape (n_candidates,)
        Mean number of active codes; NaN where a fit failed.
    explained_variance : ndarray of shape (n_candidates,)
        NaN where a fit failed.

    Raises
    ------
    ValueError
        If the search was scored by something else, or every fit failed.
    """
    missing = [key for key in _KEYS if key not in cv_results]
    if missing:
        raise ValueError(
            f"cv_results_ has no {' and no '.join(missing)}: pass scoring=score_crosscoder to "
            "GridSearchCV, from sklearn_groupcross.model_selection."
        )
    neg_l0, explained = (np.array(cv_results[key], dtype=np.float64) for key in _KEYS)
    failed = ~(np.isfinite(neg_l0) & np.isfinite(explained))
    if failed.all():
        raise ValueError(
            "No candidate has finite scores: every fit failed. Pass error_score='raise' to "
            "GridSearchCV to see why."
        )
    l0 = np.where(failed, np.nan, -neg_l0)
    return l0, np.where(failed, np.nan, explained)


def _to_unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # a frontier increases strictly in both, so that its ends differ
    return (values - values[0]) / (values[-1] - values[0])
