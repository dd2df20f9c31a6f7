from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.analysis._resampling import (
    MIN_UNITS,
    percentile_interval,
    resampled_means,
)


def means(values, labels, counted=None, n=2000, seed=0):
    values, labels = np.atleast_2d(values).astype(float), np.atleast_2d(labels)
    counted = np.ones(values.shape, bool) if counted is None else np.atleast_2d(counted)
    return resampled_means(values, counted, labels, n, np.random.default_rng(seed))


@given(st.integers(0, 100), st.integers(MIN_UNITS, 30))
def test_means_scatter_as_those_of_independent_families_do(seed, n_families):
    """Each family four times over is no more than once: copies are no witnesses."""
    values = np.random.default_rng(seed).standard_normal(n_families)
    labels = np.arange(n_families)
    once, often = means(values, labels), means(np.tile(values, 4), np.tile(labels, 4))
    assert once.mean() == pytest.approx(values.mean(), abs=5 * values.std() / n_families**0.5 / 40)
    assert once.std() == pytest.approx(values.std() / n_families**0.5, rel=0.15)
    np.testing.assert_allclose(often, once)
    # of features alone there are more
    alone = means(np.tile(values, 4), np.full(4 * n_families, -1))
    assert alone.std() == pytest.approx(once.std() / 2, rel=0.15)


def test_families_that_share_a_feature_in_another_way_are_drawn_together():
    labels = np.array([[0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [-1, 0, 0, -1, -1, -1, -1, -1, -1, -1]])
    # features 1 and 2 join families 0 and 1, and four units are too few
    assert len(means(np.ones((2, 10)), labels)) == 0
    assert len(means(np.ones((1, 10)), labels[:1])) == 2000


def test_what_is_not_counted_has_no_weight():
    values, labels = np.arange(12.0), np.arange(12) // 2
    counted = values < 10
    nonsense = np.where(counted, values, 1e9)
    np.testing.assert_array_equal(means(nonsense, labels, counted), means(values[:10], labels[:10]))
    assert (means(np.full(12, 3.0), labels, counted) == 3).all()


def test_resamples_without_anything_to_average_are_left_out():
    counted = np.array([[True] * 6, [True] + [False] * 5])
    found = means(np.ones((2, 6)), np.full((2, 6), -1), counted)
    assert 0.5 < len(found) / 2000 < 0.75  # 1 - (5/6)^6
    assert np.isfinite(found).all()


def test_intervals():
    assert percentile_interval(np.arange(1001.0)) == (25, 975)
    assert np.isnan(percentile_interval(np.empty(0))).all()
