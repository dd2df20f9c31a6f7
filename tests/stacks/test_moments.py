from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross._stacks import _moments, _rows
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


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_every_type_is_summed_in_float64(dtype, offset):
    """In tiles of columns, and in parts that are not alike."""
    X = np.random.default_rng(0).standard_normal((50, _moments._TILE + 3)) + offset
    X = np.asfortranarray(X.astype(dtype))
    moments = Moments(X.shape[1])
    for part in (X[:1], X[1:40], X[40:]):
        moments.update(part)
    wide = X.astype(np.float64)
    np.testing.assert_allclose(moments.mean, wide.mean(0), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(moments.squares, np.square(wide - wide.mean(0)).sum(0), rtol=1e-11)
    assert moments.n_rows == 50


@pytest.mark.parametrize("size", [1e160, 1e-160])
def test_numbers_whose_squares_are_none_are_refused(size):
    with pytest.raises(ValueError, match=r"their squares cannot be represented"):
        Moments(2).update(np.array([[1.0, 1.0], [-size, 1.0]]) * (size if size < 1 else 1))
