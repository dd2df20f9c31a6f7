from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from examples.reproduction._statistics import (
    Estimate,
    auc,
    columns,
    combined,
    detectable,
    over_groups,
    over_pairs,
    over_seeds,
    paired,
)


def test_over_seeds_is_students_interval():
    values = [0.1, 0.2, 0.4, 0.3]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(over_seeds(values), (0.25, expected.low, expected.high))


def test_one_seed_has_no_interval():
    value, low, high = over_seeds([0.3])
    assert value == 0.3
    assert np.isnan([low, high]).all()
    assert not over_seeds([0.3]).excludes_zero


def test_paired_is_of_differences():
    first, second = np.array([1.0, 2, 4]), np.array([0.5, 1.2, 3.3])
    assert paired(first, second) == over_seeds(first - second)


def test_bootstrap_draws_whole_groups():
    # all rows of a group are alike: resampling rows would be far too sure of the mean
    groups = np.repeat(np.arange(20), 50)
    of_group = np.random.default_rng(0).normal(size=20)
    values = of_group[groups]
    estimate = over_groups(lambda rows: values[rows].mean(), groups, np.random.default_rng(1), 2000)
    assert estimate.value == pytest.approx(of_group.mean())
    half = (estimate.high - estimate.low) / 2
    assert half == pytest.approx(1.96 * of_group.std() / np.sqrt(20), rel=0.15)


def test_pairs_that_share_seeds_are_not_independent():
    rng = np.random.default_rng(0)
    covered = narrow = 0
    for _ in range(400):
        of_seed, noise = rng.normal(size=5), rng.normal(size=(5, 5)) / 3
        shares = of_seed[:, None] + of_seed + noise
        np.fill_diagonal(shares, np.nan)
        estimate = over_pairs(shares)
        covered += estimate.low <= 0 <= estimate.high
        low, high = over_seeds(np.nanmean(shares, axis=1))[1:]
        narrow += low <= 0 <= high
    assert covered / 400 > 0.93
    assert narrow / 400 < 0.8  # what it would be without


def test_pairs_of_two_seeds_have_no_interval():
    value, low, high = over_pairs([[np.nan, 0.2], [0.4, np.nan]])
    assert value == pytest.approx(0.3)
    assert np.isnan([low, high]).all()
    assert np.isnan(over_pairs(np.full((4, 4), np.nan))).all()


def test_sources_of_chance_add_in_quadrature():
    value, low, high = combined(Estimate(1, 0.7, 1.4), Estimate(1.1, 0.7, 1.4))
    assert (value, low, high) == pytest.approx((1, 0.5, 1.5))
    assert np.isnan(combined(Estimate(1, 0.7, 1.4), Estimate(1.1, np.nan, np.nan))[1])


def test_auc_is_sklearns_and_undefined_of_one_class():
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 5, 60), rng.random(60) < 0.4
    assert auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))
    assert np.isnan(auc(scores, np.zeros(60, bool)))


def test_detectable_is_seen_with_its_power():
    shift = detectable(0.1, 5)
    rng = np.random.default_rng(0)
    seen = [over_seeds(rng.normal(shift, 0.1, 5)).low > 0 for _ in range(4000)]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.03)
    assert detectable(0.1, 20) < shift


def test_columns_of_estimates():
    assert columns([Estimate(1, 0, 2)], "auc") == {
        "auc_value": [1],
        "auc_low": [0],
        "auc_high": [2],
    }
