from __future__ import annotations

import hypothesis.strategies as st
import torch
from hypothesis import given

from sklearn_groupcross.crosscoder._selection import above, kept_largest


def random_values(n, m, seed=0):
    return torch.randn(n, m, generator=torch.Generator().manual_seed(seed))


@given(n=st.integers(1, 8), m=st.integers(1, 12), data=st.data())
def test_batch_topk_keeps_the_largest_of_the_batch(n, m, data):
    k = data.draw(st.integers(1, m))
    values = random_values(n, m, seed=n * m)
    codes = kept_largest(values, k, of_batch=True)
    kept = codes > 0
    assert kept.sum() == min(n * k, int((values > 0).sum()))
    assert torch.equal(codes[kept], values[kept])
    if kept.any() and not kept.all():
        assert values[kept].min() >= values[~kept].max()


def test_a_sample_is_its_own_batch():
    values = random_values(1, 20)
    assert torch.equal(*(kept_largest(values, 5, of_batch=of_batch) for of_batch in (True, False)))


def test_above_zero_is_the_relu():
    values = random_values(5, 7)
    assert torch.equal(above(values, 0.0), torch.relu(values))
