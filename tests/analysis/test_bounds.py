from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from sklearn_groupcross.analysis import _bounds
from sklearn_groupcross.analysis._bounds import lower_bounds


def deviations_of(samples):
    """Deviations of the means of samples (n, m, n_figures), as a jackknife has them."""
    n = len(samples)
    return (samples - samples.mean(axis=0)) / np.sqrt(n * (n - 1))


@pytest.mark.parametrize("n_figures", [1, 6])
def test_all_bounds_of_a_feature_hold_at_once_as_often_as_is_said(n_figures):
    rng = np.random.default_rng(0)
    m, n = 3000, 8
    samples = rng.standard_normal((n, m, n_figures))
    df = np.full(m, n - 1.0)
    bounds = lower_bounds(samples.mean(axis=0), deviations_of(samples), df, 0.1, 0)
    exceeded = (bounds > 0).any(axis=1).mean()
    assert 0.05 < exceeded < 0.13  # the means are 0; the standard error of the share is 0.006


def test_one_figure_has_the_bound_of_student():
    samples = np.random.default_rng(1).standard_normal((10, 50, 1))
    means, deviations = samples.mean(axis=0), deviations_of(samples)
    errors = samples.std(axis=0, ddof=1) / np.sqrt(10)
    alone = means - student.ppf(0.95, 9) * errors
    bounds = lower_bounds(means, deviations, np.full(50, 9.0), 0.05, 0)
    assert (bounds <= alone + 1e-12).all()
    assert (bounds > means - 1.4 * student.ppf(0.95, 9) * errors).all()


def test_figures_without_error_are_their_own_bounds_and_parts_change_nothing(monkeypatch):
    samples = np.random.default_rng(2).standard_normal((6, 9, 4))
    samples[..., 2] = 1.0
    args = samples.mean(axis=0), deviations_of(samples), np.full(9, 5.0), 0.05, 3
    whole = lower_bounds(*args)
    np.testing.assert_array_equal(whole[:, 2], 1.0)
    monkeypatch.setattr(_bounds, "_BYTES_A_PASS", 1)
    np.testing.assert_allclose(lower_bounds(*args), whole)
