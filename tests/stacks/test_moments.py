from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross._stacks import _rows
from sklearn_groupcross._stacks._moments import Moments
from sklearn_groupcross._stacks._rows import Rows
from sklearn_groupcross.crosscoder._summary import summarize


@pytest.fixture
def array():
    return np.random.default_rng(0).standard_normal((30, 4, 5)).astype(np.float16)


def test_moments_are_those_of_the_whole(array, monkeypatch):
    X = array.reshape(30, 20).astype(np.float64) + 1000.0
    monkeypatch.setattr(_rows, "_BYTES_A_PASS", 8 * 20 * 7)
    summary = summarize(Rows(X))
    np.testing.assert_allclose(summary.mean, X.mean(0), rtol=1e-12)
    assert summary.variance == pytest.approx(np.square(X - X.mean(0)).sum(1).mean(), rel=1e-9)


def test_equal_rows_have_no_variance():
    moments = Moments(3)
    moments.update(np.full((10, 3), 0.1, np.float32))
    moments.update(np.full((10, 3), 0.1, np.float32))
    assert moments.variance == 0
