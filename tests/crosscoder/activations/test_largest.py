from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.crosscoder._activations._largest import BatchTopK


def calibrated(values, k):
    calibration = BatchTopK(12, 24, k).calibration(torch.tensor(0.5))
    for part in values.split(7):
        calibration.add(part)
    return calibration.threshold()


@given(n=st.integers(1, 40), k=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_k_codes_of_a_sample_exceed_the_calibrated_threshold_on_average(n, k, seed):
    values = torch.randn(n, 12, generator=torch.Generator().manual_seed(seed)).abs() + 0.1
    threshold = calibrated(values, k)
    n_above = int((values > threshold).sum())
    assert n_above <= n * k
    # a little lower, by what edges are apart, and there are as many
    lower = values > threshold * 0.998
    assert k == 12 or int(lower.sum()) >= n_above
    assert k < 12 or threshold == 0


def test_nothing_is_cut_off_where_all_positive_codes_are_too_few():
    values = -torch.ones(5, 12)
    values[:, 0] = 1.0
    assert calibrated(values, 3) == 0


def test_the_running_threshold_begins_with_the_first_batch_and_then_moves_slowly():
    rule, start = BatchTopK(12, 24, 3), torch.tensor(-1.0)
    first = rule.follow(start, torch.tensor(0.5))
    assert first == 0.5
    assert rule.follow(first, torch.tensor(1.5)).item() == pytest.approx(0.51)
    # a batch without an active code has no smallest one
    assert rule.follow(first, torch.tensor(torch.inf)).item() == pytest.approx(0.495)
