from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import torch
from hypothesis import given

from sklearn_groupcross._read_ahead import read_ahead
from sklearn_groupcross._stacks._rows import Rows
from sklearn_groupcross.crosscoder._batches import Batch, generator_for, plan_epoch


@given(n=st.integers(1, 200), batch_size=st.integers(1, 50), epoch=st.integers(0, 5))
def test_every_row_is_read_once_an_epoch(n, batch_size, epoch):
    rows = np.arange(n) * 2
    batches = plan_epoch(rows, batch_size, 6, augment=True, seed=0, epoch=epoch)
    read = np.concatenate([batch.rows for batch in batches])
    np.testing.assert_array_equal(np.sort(read), rows)
    assert max(len(batch.rows) for batch in batches) <= batch_size
    assert all(0 <= batch.translation < 6 for batch in batches)


def test_the_shuffle_is_over_all_rows_and_new_in_every_epoch():
    rows = np.arange(100_000)
    first, second = (plan_epoch(rows, 500, 1, augment=False, seed=0, epoch=e)[0] for e in (0, 1))
    # evenly spread rows have a mean within five standard errors of the middle
    assert abs(first.rows.mean() - 50_000) < 5 * 100_000 / np.sqrt(12 * 500)
    assert first.rows.max() - first.rows.min() > 95_000
    assert len(np.intersect1d(first.rows, second.rows)) < 50


def test_draws_depend_on_seed_and_place_alone():
    def draw(*place):
        return torch.rand(3, generator=generator_for(*place)).tolist()

    assert draw(0, 1, 2) == draw(0, 1, 2)
    assert len({tuple(draw(*place)) for place in [(0, 1, 2), (0, 1, 3), (0, 2, 2), (1, 1, 2)]}) == 4


def test_batches_come_in_order():
    X = np.arange(20, dtype=np.float32).reshape(10, 2)
    batches = [Batch(np.array([i, i + 5]), 0) for i in range(5)]
    read = read_ahead(lambda batch: Rows(X).read(batch.rows), batches)
    for batch, block in zip(batches, read, strict=True):
        np.testing.assert_array_equal(block, X[batch.rows])
