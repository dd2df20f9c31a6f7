"""Products of short integers are those of numpy, for every shape and share of the rows."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.crosscoder._active._short_products import (
    LANES,
    LEFT,
    RIGHT,
    has_short_products,
    rough_products,
    shorten_rows,
)

needs_avx2 = pytest.mark.skipif(not has_short_products(), reason="needs AVX2 in compiled loops")


def shortened(matrix):
    n = len(matrix)
    short = np.full(matrix.shape, 99, np.int16)
    numbers = np.empty((3, n), np.float32)
    shorten_rows(matrix, short, *numbers, 0, n)
    return short, *numbers


@needs_avx2
@given(
    n=st.integers(1, 40),
    m=st.integers(1, 6),
    pieces=st.sampled_from([1, 3, 64, 65]),
    cut=st.integers(0, 40),
    seed=st.integers(0, 2**31 - 1),
)
def test_products_are_those_of_numpy(n, m, pieces, cut, seed):
    rng = np.random.default_rng(seed)
    m, d = RIGHT * m, LANES * pieces
    left, right = (rng.standard_normal((rows, d), dtype=np.float32) for rows in (n, m))
    bias = rng.standard_normal(m, dtype=np.float32)
    bias[0] = -np.inf
    short, units, *_ = shortened(left)
    weights, weight_units, *_ = shortened(right)
    padded = np.concatenate([short, np.full((LEFT - 1, d), 32_767, np.int16)])
    bits = np.zeros((n, m), np.int16)
    cut = min(cut, n)
    for first, last in ((0, cut), (cut, n)):  # as two threads share them
        rough_products(padded, units, weights, weight_units, bias, bits, first, last)
    sums = short.astype(np.int64) @ weights.astype(np.int64).T
    assert np.abs(sums).max() < 2**31
    products = (sums * units[:, None].astype(np.float64) * weight_units)[:, 1:]
    exact = products + bias[1:]
    found = torch.from_numpy(bits).view(torch.bfloat16).double().numpy()
    slack = 2.0**-8 * np.abs(exact) + 1e-6 * np.abs(products)
    assert (np.abs(found[:, 1:] - exact) <= slack).all()
    assert (found[:, 0] == -np.inf).all()


@pytest.mark.parametrize("sign", [1, -1])
@needs_avx2
def test_the_largest_sums_fit(sign):
    """Of rows that point the same way, the sum is the product of their norms."""
    for row in (np.ones(4096), np.eye(1, 4096)[0]):
        matrix = np.tile(row.astype(np.float32), (LEFT, 1))
        short, units, *_ = shortened(matrix)
        bits = np.zeros((1, LEFT), np.int16)
        bias = np.zeros(LEFT, np.float32)
        rough_products(short, units, np.int16(sign) * short, units, bias, bits, 0, 1)
        found = torch.from_numpy(bits).view(torch.bfloat16).float().numpy()
        np.testing.assert_allclose(found, sign * row @ row, rtol=2.0**-8)


@given(
    size=st.sampled_from([0.0, 1e-38, 1e-20, 1e-14, 1.0, 1e15]),
    seed=st.integers(0, 2**31 - 1),
)
def test_norms_bound_what_rounding_changed(size, seed):
    matrix = np.float32(size) * np.random.default_rng(seed).standard_normal((3, 21), np.float32)
    matrix[1] = 0
    short, units, norms, roundings = shortened(matrix)
    exact = matrix.astype(np.float64)
    changed = np.linalg.norm(exact - short * units[:, None].astype(np.float64), axis=1)
    assert (np.linalg.norm(exact, axis=1) <= 1.00001 * norms).all()
    # the differences are taken in float32
    assert (changed <= 1.00001 * roundings + 1e-6 * norms).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+sse2"},
        pytest.param({"NUMBA_DISABLE_JIT": "1"}, marks=pytest.mark.slow),
    ],
)
def test_numba_may_be_told_to_use_less(settings):
    """What numba does not compile for would end the process."""
    line = (
        "from sklearn_groupcross.crosscoder._active import _short_products as short;"
        "print(short.has_short_products())"
    )
    found = subprocess.run(
        [sys.executable, "-c", line],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "False"
