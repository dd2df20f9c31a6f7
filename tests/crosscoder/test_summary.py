from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross._stacks import _rows
from sklearn_groupcross._stacks._rows import Rows
from sklearn_groupcross.crosscoder._summary import summarize
from tests.tolerances import assert_near


@given(st.integers(1, 30), st.integers(1, 6), st.sampled_from([0.0, 1.0, 1e3]))
def test_moments_are_those_of_numpy(n_rows, n_columns, offset):
    data = offset + np.random.default_rng(n_rows).standard_normal((n_rows, n_columns))
    summary = summarize(Rows(data))
    assert_near(summary.mean, data.mean(axis=0), n_rows, size=n_rows * (4 + offset))
    total = data.var(axis=0).sum()
    assert summary.variance == pytest.approx(total, abs=1e-9 * (1 + offset))
    assert summary.digest == ""
    if total > 0:
        expected = np.linalg.norm(summary.mean) / total**0.5
        assert summary.distance == pytest.approx(expected, rel=1e-6)


def test_equal_rows_are_at_no_distance():
    summary = summarize(Rows(np.full((5, 3), 7.0)))
    assert (summary.variance, summary.distance) == (0, 0)


def test_the_digest_tells_values_and_order_apart_and_knows_no_parts(monkeypatch):
    data = np.random.default_rng(0).standard_normal((9, 4))
    changed = data.copy()
    changed[8, 3] = np.nextafter(changed[8, 3], 9)

    def digest(rows):
        return summarize(Rows(rows), with_digest=True).digest

    whole = digest(data)
    assert whole == digest(data.copy(order="F"))
    assert len({whole, digest(changed), digest(data[::-1].copy()), digest(data[:8])}) == 4
    monkeypatch.setattr(_rows, "_BYTES_A_PASS", 64)
    assert digest(data) == whole


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_digest_is_that_of_the_values_in_float64(dtype, monkeypatch):
    """Checkpoints name runs by it."""
    data = np.random.default_rng(0).standard_normal((9, 4)).astype(dtype)
    monkeypatch.setattr(_rows, "_BYTES_A_PASS", 8 * 4 * 2)
    expected = hashlib.blake2b(data.astype(np.float64), digest_size=16).hexdigest()
    assert summarize(Rows(data), with_digest=True).digest == expected


def test_rows_that_are_not_finite_are_named():
    data = np.zeros((6, 2))
    data[4, 1] = np.inf
    with pytest.raises(ValueError, match="infinity.* 4"):
        summarize(Rows(data))
