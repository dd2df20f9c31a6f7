"""Lower bounds of many figures of a feature that hold for all of them at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri
from scipy.stats import t as student

FloatArray = NDArray[np.floating]

N_DRAWS = 400
# Resampled figures of some features at a time: this many bytes of float64.
_BYTES_A_PASS = 2**26


def draws(seed: int, n_bags: int) -> tuple[FloatArray, FloatArray]:
    """Weights of the bags (n_draws, n_bags) and a uniform number for each draw."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N_DRAWS, n_bags)), rng.uniform(size=N_DRAWS)


def parts(n: int, width: int) -> list[slice]:
    """Features whose draws of `width` figures fit in memory together."""
    step = max(1, _BYTES_A_PASS // (8 * N_DRAWS * width))
    return [slice(i, i + step) for i in range(0, n, step)]


def lower_bounds(
    figures: FloatArray,
    deviations: FloatArray,
    degrees_of_freedom: FloatArray,
    error_rate: float,
    seed: int,
) -> FloatArray:
    """Lower bounds that hold, for each feature, for all of its figures at once.

    A figure less q of its standard errors, where q is the ``1 - error_rate`` quantile of the
    largest studentised deviation over all figures of the feature. Their correlation counts.

    Parameters
    ----------
    figures : ndarray of shape (m, n_figures)
    deviations : ndarray of shape (n_bags, m, n_figures)
        What each bag of images contributes: the covariance of a feature's figures is the sum over
        bags of the outer products of its deviations.
    degrees_of_freedom : ndarray of shape (m,)
        Of the standard errors; NaN counts as 1.
    error_rate : float
        Probability, in (0, 1), that any of a feature's bounds exceeds the true figure.
    seed : int
        Of the draws from which q comes.

    Returns
    -------
    bounds : ndarray of shape (m, n_figures)
    """
    errors = np.sqrt((deviations**2).sum(axis=0))
    normal, uniform = draws(seed, len(deviations))
    bounds = np.full_like(figures, np.nan)
    for part in parts(*figures.shape):
        scaled = np.divide(
            deviations[:, part],
            errors[part],
            out=np.zeros_like(deviations[:, part]),
            where=errors[part] > 1e-9,
        )
        largest = np.tensordot(normal, scaled, axes=1).max(axis=2)  # draws x features
        df = np.where(np.isnan(degrees_of_freedom[part]), 1, degrees_of_freedom[part])
        # one chi-square a draw turns normal deviations into those of a t distribution
        largest *= np.sqrt(df / chdtri(df, uniform[:, None]))
        critical = np.quantile(largest, 1 - error_rate, axis=0)
        # at least the bound of one figure alone, whatever the draws say
        critical = np.maximum(critical, student.ppf(1 - error_rate, df))
        bounds[part] = figures[part] - critical[:, None] * errors[part]
    return bounds
