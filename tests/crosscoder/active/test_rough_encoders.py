"""Rough pre-activations are as near to exact ones as is said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_groupcross._parallel import sharing
from sklearn_groupcross.crosscoder._active import _kernels as kernels
from sklearn_groupcross.crosscoder._active import _rough_encoders
from sklearn_groupcross.crosscoder._active._rough_encoders import (
    Bfloat16Encoder,
    Int16Encoder,
    RoughEncoder,
)
from sklearn_groupcross.crosscoder._active._short_products import has_short_products
from sklearn_groupcross.crosscoder._parameters import Parameters
from tests.crosscoder.active.rough_kinds import of_all_kinds


def rough_of(kind, encoder, bias, inputs):
    rough = kind(encoder, bias)
    with sharing() as run:
        rough.refresh(run)
        return rough.preactivations(inputs, run)


def test_products_of_bfloat16_may_be_as_wrong_as_is_said():
    """The bound is not met by chance: inputs and weights on which rounding goes one way alone."""
    d = 64
    number = 1.0 + 2.0**-9 + 2.0**-20  # it lies just above the middle of two bfloat16 numbers
    inputs, encoder = torch.full((1, d), number), torch.full((40, d), number)
    rough, error = rough_of(Bfloat16Encoder, encoder, torch.full((40,), number), inputs)
    exact = inputs.double() @ encoder.double().T + number
    wrong = (rough[:, :40].double() - exact).abs()
    assert (wrong <= error[0] + kernels.ROUNDING * exact).all()
    assert wrong.max() > 0.5 * error[0]


@pytest.mark.skipif(not has_short_products(), reason="needs AVX2 in compiled loops")
def test_products_of_integers_may_be_as_wrong_as_is_said():
    """Of one row each all numbers but the first are rounded down by nearly half an integer."""
    d = 2 * 64
    inputs = torch.full((1, d), 0.499 / 32_000)
    inputs[0, 0] = 1.0  # nearly all of the norm
    encoder = torch.full((40, d), 1.0)
    rough, error = rough_of(Int16Encoder, encoder, torch.zeros(40), inputs)
    exact = inputs.double() @ encoder.double().T
    wrong = (rough[:, :40].double() - exact).abs()
    assert (wrong <= error[0] + kernels.ROUNDING * exact.abs()).all()
    assert wrong.max() > 0.5 * error[0]


@of_all_kinds
def test_long_sums_with_large_biases_are_as_near_as_is_said(kind):
    generator = torch.Generator().manual_seed(0)
    inputs, encoder = (torch.randn(n, 20_000, generator=generator) for n in (3, 40))
    bias = torch.full((40,), 12_345.678)
    rough, error = rough_of(kind, encoder, bias, inputs)
    exact = inputs.double() @ encoder.double().T + bias.double()
    wrong = (rough[:, :40].double() - exact).abs()
    slack = torch.from_numpy(error)[:, None] + kernels.ROUNDING * exact.abs()
    assert (wrong <= slack).all()
    assert (rough[:, 40:] == -torch.inf).all()


@of_all_kinds
@given(
    n=st.integers(1, 40),
    m=st.integers(1, 70),
    d=st.integers(1, 40),
    size=st.sampled_from([1e-30, 1e-16, 1e-6, 1.0, 1e6, 1e16, 1e30]),
    seed=st.integers(0, 2**31 - 1),
)
def test_they_are_as_near_as_is_said(kind, n, m, d, size, seed):
    generator = torch.Generator().manual_seed(seed)
    inputs, encoder = (torch.randn(r, d, generator=generator) for r in (n, m))
    # samples and atoms of very different norms
    inputs *= size * torch.logspace(-3, 3, n)[:, None]
    encoder *= torch.logspace(-20, 1, m)[:, None]
    rough, error = rough_of(kind, encoder, torch.zeros(m), inputs)
    exact = inputs.double() @ encoder.double().T
    wrong = (rough[:, :m].double() - exact).abs()
    known = np.isfinite(error)
    assert known.any() or size > 1
    slack = torch.from_numpy(error)[:, None] + kernels.ROUNDING * exact.abs()
    assert (wrong <= slack)[torch.from_numpy(known)].all()


@pytest.mark.parametrize(
    ("bfloat16", "int16", "expected"),
    [(True, True, Bfloat16Encoder), (False, True, Int16Encoder), (False, False, None)],
)
def test_the_processor_decides(bfloat16, int16, expected, monkeypatch):
    monkeypatch.setattr(_rough_encoders, "multiplies_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(_rough_encoders, "multiplies_int16_fast", lambda: int16)
    encoder = torch.ones(1024, 64)
    parameters = Parameters(encoder, torch.zeros(1024), encoder, torch.zeros(1, 64))
    rough = RoughEncoder.of(parameters, 32)
    assert (None if rough is None else type(rough)) is expected
    assert RoughEncoder.of(parameters, 33) is None  # so many that exact products are faster


@given(
    numbers=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1),
    width=st.integers(1, 4),
)
@example(numbers=[0.0, -0.0, 1e-45, -1e-45, 2.0**-126], width=1)
@example(numbers=[3.4028234663852886e38, -3.4028234663852886e38], width=2)
def test_rows_are_rounded_as_torch_rounds(numbers, width):
    matrix = torch.tensor(numbers, dtype=torch.float32)[: len(numbers) // width * width]
    matrix = matrix.reshape(-1, width)
    if len(matrix) == 0:
        return
    rounded = torch.zeros(len(matrix), width + 1, dtype=torch.bfloat16)
    with sharing() as run:
        norms, roundings = _rough_encoders._round(matrix, rounded, run)
    expected = matrix.bfloat16()
    assert torch.equal(rounded[:, :width], expected)
    assert (rounded[:, width] == 0).all()
    exact = matrix.double().norm(dim=1), (matrix.double() - expected.double()).norm(dim=1)
    for found, norm in zip((norms, roundings), exact, strict=True):
        fits = ((norm > 1e-18) & (norm < 1e18)).numpy()  # other squares leave the range of float32
        np.testing.assert_allclose(found[fits], norm.numpy()[fits], rtol=1e-5)
        assert (found >= 0.99999 * norm.numpy())[norm.numpy() < 1e18].all()
