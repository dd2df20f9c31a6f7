"""One pass over the data, and what is counted on it."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.cli._measuring import _measure
from sklearn_groupcross.model_selection import _statistics, collect_statistics


class Counted:
    """Rows on request, as a file would give them; counts how often each was read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.n_reads = np.zeros(len(array), dtype=int)

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        self.n_reads[rows] += 1
        return self.array[rows]


@pytest.mark.parametrize("n_bytes", [1, 60_000, 2**28])
def test_counts_are_those_of_all_codes(fitted, test_orbits, monkeypatch, n_bytes):
    monkeypatch.setattr(_statistics, "_BYTES_A_BATCH", n_bytes)
    statistics = collect_statistics(fitted, test_orbits)
    active = fitted.transform(test_orbits) > 0
    np.testing.assert_array_equal(statistics.n_firings, active.sum(axis=0))
    np.testing.assert_array_equal(statistics.frequencies, active.mean(axis=0))
    np.testing.assert_array_equal(statistics.fired, active.any(axis=0))
    assert statistics.l0 == active.sum(axis=1).mean()
    assert statistics.dead_share == pytest.approx((~active.any(axis=0)).mean())


def test_rows_can_be_dropped(fitted, test_orbits):
    statistics = collect_statistics(fitted, test_orbits, keep_rows=True)
    without = statistics.without_rows()
    assert len(statistics.rows) > 0
    assert len(without.rows) == without.codes.shape[0] == without.row_codes.shape[0] == 0
    assert without.rows.base is None  # or else all of them would stay in memory
    assert without.explained_variance == statistics.explained_variance
    assert without.codes.shape[1] == statistics.codes.shape[1]


def test_a_run_is_measured_by_one_pass_over_each_part(fitted, train_orbits, test_orbits):
    parts = Counted(train_orbits), Counted(test_orbits)
    figures = _measure(fitted, *parts, progress=False)
    for part, one in zip(parts, figures, strict=True):
        assert (part.n_reads == 1).all()
        assert one.explained_variance == pytest.approx(fitted.score(part.array), rel=1e-6)
