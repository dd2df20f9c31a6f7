"""The largest codes found through rough products are those of exact ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross._parallel import sharing
from sklearn_groupcross.crosscoder._active import _kernels as kernels
from sklearn_groupcross.crosscoder._active import _rough_encoders
from sklearn_groupcross.crosscoder._active._rough_encoders import Bfloat16Encoder
from sklearn_groupcross.crosscoder._active._screening import Screen, largest_codes
from sklearn_groupcross.crosscoder._active._sparse_codes import SparseCodes
from sklearn_groupcross.crosscoder._parameters import Parameters
from tests.crosscoder.active.rough_kinds import KINDS, of_all_kinds
from tests.tolerances import assert_same_codes, rounding


def problem(n, m, d, seed, bias=0.0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    encoder = torch.randn(m, d, generator=generator) * scale
    biases = bias + 0.5 * torch.randn(m, generator=generator)
    inputs = torch.randn(n, d, generator=generator)
    # samples and atoms of very different norms, some of them zero
    inputs *= torch.logspace(-2, 2, n)[:, None] * (torch.arange(n) % 5 != 4)[:, None]
    encoder *= torch.logspace(0, -1, m)[:, None]
    return inputs, Parameters(encoder, biases, torch.zeros(m, d), torch.zeros(1, d))


def screened(kind, encoder, bias, inputs, run):
    rough = kind(encoder, bias)
    rough.refresh(run)
    return Screen.of(inputs, rough, run)


def dense(codes):
    out = torch.zeros(codes.shape)
    with sharing() as run:
        codes.write_into(out, run)
    return out


@given(
    n=st.integers(1, 12),
    m=st.integers(1, 300),
    d=st.integers(1, 20),
    k=st.integers(1, 8),
    seed=st.integers(0, 2**31 - 1),
    bias=st.sampled_from([0.0, -3.0, -1e4, 50.0]),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    of_batch=st.booleans(),
    kind=st.sampled_from(KINDS),
)
@example(n=3, m=1, d=1, k=1, seed=0, bias=-1e4, scale=1.0, of_batch=False, kind=KINDS[0])
def test_they_are_the_largest_exact_ones(kind, n, m, d, k, seed, bias, scale, of_batch):
    k = min(k, m)
    inputs, parameters = problem(n, m, d, seed, bias, scale)
    values = parameters.preactivations(inputs)
    with sharing() as run:
        screen = screened(kind, parameters.encoder, parameters.encoder_bias, inputs, run)
        found = screen.largest_of_batch(k) if of_batch else screen.largest(k)
        expected = dense(SparseCodes.largest(values, k, run, of_batch=of_batch))
    if found is None:  # too many came near: exact products decide
        return
    error = 1e-5 * (inputs.norm(dim=1)[:, None] * parameters.encoder.norm(dim=1) + abs(bias) + 1)
    got = dense(found)
    # where two are equal to rounding, either may be taken
    limit = torch.where(expected > 0, expected, torch.inf)
    limit = limit.amin() if of_batch else limit.amin(1, keepdim=True)
    decided = (values - torch.where(limit.isinf(), 0.0, limit)).abs() > 2 * error
    assert ((got - expected).abs() <= error)[decided].all()
    n_kept = (got > 0).sum() if of_batch else (got > 0).sum(1)
    assert (n_kept <= (n * k if of_batch else k)).all()


@of_all_kinds
def test_many_candidates_are_left_to_exact_products(kind):
    encoder = torch.ones(100, 4)  # all the same: nothing tells them apart
    parameters = Parameters(encoder, torch.zeros(100), torch.zeros(100, 4), torch.zeros(1, 4))
    rough = kind(encoder, parameters.encoder_bias)
    inputs = torch.ones(3, 4)
    with sharing() as run:
        rough.refresh(run)
        assert Screen.of(inputs, rough, run).largest(2) is None
        assert Screen.of(inputs, rough, run).largest_of_batch(2) is None
        codes = largest_codes(inputs, rough, parameters, 2, run, of_batch=False)
    assert dense(codes).sum(1).tolist() == [8.0, 8.0, 8.0]


@of_all_kinds
def test_estimators_find_the_codes_of_exact_products(kind, monkeypatch):
    """They use rough products where the processor has them and the encoder is large."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 64), dtype=np.float32)

    def fit(activation):
        return GroupCrosscoder(
            n_features=1024, activation=activation, k=5, max_epochs=2, random_state=0, device="cpu"
        ).fit(X)

    monkeypatch.setattr(_rough_encoders, "fastest_kind", lambda: None)
    fitted = fit("topk")
    expected = fitted.transform(X)
    of_batch = fit("batch_topk")
    monkeypatch.setattr(_rough_encoders, "fastest_kind", lambda: kind)
    rounded = []
    refresh = kind.refresh

    def counted(self, run):
        rounded.append(self)
        refresh(self, run)

    monkeypatch.setattr(kind, "refresh", counted)
    size = (np.abs(X) @ np.abs(fitted.encoder_).T).max()
    assert_same_codes(fitted.transform(X), expected, rounding(np.float32, 64 + 1, size))
    assert len(rounded) == 1
    for former in (fitted, of_batch):  # the encoder changes from step to step
        again = fit(former.activation)
        np.testing.assert_allclose(again.components_, former.components_, atol=1e-4)
    assert len(rounded) > 4
    # in float64 nothing is rough
    assert fitted.transform(X.astype(np.float64)).dtype == np.float64


@of_all_kinds
@pytest.mark.parametrize("of_batch", [False, True])
def test_ordinary_encoders_are_screened(kind, of_batch):
    generator = torch.Generator().manual_seed(0)
    encoder = torch.nn.functional.normalize(torch.randn(1024, 64, generator=generator), dim=1)
    inputs = torch.randn(20, 64, generator=generator)
    with sharing() as run:
        screen = screened(kind, encoder, torch.zeros(1024), inputs, run)
        assert (screen.largest_of_batch(4) if of_batch else screen.largest(4)) is not None


@of_all_kinds
def test_numbers_too_large_for_their_norms_are_left_to_exact_products(kind):
    inputs = torch.full((2, 3), 1e30)
    with sharing() as run:
        screen = screened(kind, torch.full((40, 3), 1e30), torch.zeros(40), inputs, run)
    assert screen.largest(1) is None
    assert screen.largest_of_batch(1) is None


def test_negative_rough_numbers_may_be_positive():
    """Where errors are large a code that is roughly negative is among the largest."""
    n_atoms, d = 64, 2
    encoder = torch.zeros(n_atoms, d)
    encoder[:, 0] = -1.0
    encoder[7] = torch.tensor([1.0 + 2.0**-9, -1.0 - 2.0**-8 - 2.0**-9])
    inputs = torch.tensor([[1.0, 1.0 - 2.0**-8]])
    exact = (inputs.double() @ encoder.double().T)[0]
    assert (exact > 0).nonzero().flatten().tolist() == [7]
    with sharing() as run:
        screen = screened(Bfloat16Encoder, encoder, torch.zeros(n_atoms), inputs, run)
        assert screen._rough[0, 7] < 0
        for codes in (screen.largest(1), screen.largest_of_batch(1)):
            assert dense(codes)[0].nonzero().flatten().tolist() == [7]


@given(error=st.floats(2.0**-126, float(torch.finfo(torch.float32).max), width=32))
@example(error=1.0 + 2.0**-7 - 2.0**-20)
@example(error=float(torch.finfo(torch.float32).max))
def test_cuts_are_rounded_down(error):
    """Of negative numbers the lower bits make them smaller; -inf stands for no atom."""
    order = int(kernels._cut(np.int16(0), np.float32(0), np.float32(error)))
    bits = torch.tensor([order if order >= 0 else order ^ 0x7FFF], dtype=torch.int16)
    cut = float(bits.view(torch.bfloat16)[0])
    assert -np.inf < cut
    assert cut <= -np.float32(error) or order == kernels.LOWEST
