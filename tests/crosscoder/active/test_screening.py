"""The largest codes found through rough products are those of exact ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross.crosscoder._active import _kernels as kernels
from sklearn_groupcross.crosscoder._active import _screening
from sklearn_groupcross.crosscoder._active._parallel import sharing
from sklearn_groupcross.crosscoder._active._screening import RoughEncoder, largest_codes
from sklearn_groupcross.crosscoder._active._sparse_codes import SparseCodes
from sklearn_groupcross.crosscoder._parameters import Parameters
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


def screened(encoder, bias, inputs, run):
    rough = RoughEncoder(encoder, bias)
    rough.refresh(run)
    return rough.screen(inputs, run)


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
)
@example(n=3, m=1, d=1, k=1, seed=0, bias=-1e4, scale=1.0, of_batch=False)
def test_they_are_the_largest_exact_ones(n, m, d, k, seed, bias, scale, of_batch):
    k = min(k, m)
    inputs, parameters = problem(n, m, d, seed, bias, scale)
    values = parameters.preactivations(inputs)
    with sharing() as run:
        screen = screened(parameters.encoder, parameters.encoder_bias, inputs, run)
        found = screen.largest_of_batch(k) if of_batch else screen.largest(k)
    if found is None:  # too many came near: exact products decide
        return
    expected = dense(SparseCodes.largest(values, k, of_batch=of_batch))
    error = 1e-5 * (inputs.norm(dim=1)[:, None] * parameters.encoder.norm(dim=1) + abs(bias) + 1)
    got = dense(found)
    # where two are equal to rounding, either may be taken
    limit = torch.where(expected > 0, expected, torch.inf)
    limit = limit.amin() if of_batch else limit.amin(1, keepdim=True)
    decided = (values - torch.where(limit.isinf(), 0.0, limit)).abs() > 2 * error
    assert ((got - expected).abs() <= error)[decided].all()
    n_kept = (got > 0).sum() if of_batch else (got > 0).sum(1)
    assert (n_kept <= (n * k if of_batch else k)).all()


def test_rough_products_are_as_near_as_is_said():
    """The bound is not met by chance: inputs and weights on which rounding goes one way alone."""
    d = 64
    number = 1.0 + 2.0**-9 + 2.0**-20  # it lies just above the middle of two bfloat16 numbers
    inputs, encoder = torch.full((1, d), number), torch.full((40, d), number)
    with sharing() as run:
        screen = screened(encoder, torch.full((40,), number), inputs, run)
    rough = screen._rough[:, :40].double()
    exact = inputs.double() @ encoder.double().T + number
    slack = screen._error[0] + kernels.ROUNDING * exact
    assert ((rough - exact).abs() <= slack).all()
    assert (rough - exact).abs().max() > 0.5 * screen._error[0]


def test_long_sums_with_large_biases_are_as_near_as_is_said():
    generator = torch.Generator().manual_seed(0)
    inputs, encoder = (torch.randn(n, 20_000, generator=generator) for n in (3, 40))
    bias = torch.full((40,), 12_345.678)
    with sharing() as run:
        screen = screened(encoder, bias, inputs, run)
    exact = inputs.double() @ encoder.double().T + bias.double()
    wrong = (screen._rough[:, :40].double() - exact).abs()
    slack = torch.from_numpy(screen._error)[:, None] + kernels.ROUNDING * exact.abs()
    assert (wrong <= slack).all()


def test_many_candidates_are_left_to_exact_products():
    encoder = torch.ones(100, 4)  # all the same: nothing tells them apart
    parameters = Parameters(encoder, torch.zeros(100), torch.zeros(100, 4), torch.zeros(1, 4))
    rough = RoughEncoder(encoder, parameters.encoder_bias)
    inputs = torch.ones(3, 4)
    with sharing() as run:
        rough.refresh(run)
        assert rough.screen(inputs, run).largest(2) is None
        assert rough.screen(inputs, run).largest_of_batch(2) is None
        codes = largest_codes(inputs, rough, parameters, 2, run, of_batch=False)
    assert dense(codes).sum(1).tolist() == [8.0, 8.0, 8.0]


@pytest.mark.parametrize("has_bfloat16", [False, True])
def test_every_processor_gives_the_same_codes(has_bfloat16, monkeypatch):
    """Estimators use rough products where the processor has them and the encoder is large."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 64), dtype=np.float32)

    def fit(activation):
        return GroupCrosscoder(
            n_features=1024, activation=activation, k=5, max_epochs=2, random_state=0, device="cpu"
        ).fit(X)

    monkeypatch.setattr(_screening, "multiplies_bfloat16", lambda: False)
    fitted = fit("topk")
    expected = fitted.transform(X)
    of_batch = fit("batch_topk")
    monkeypatch.setattr(_screening, "multiplies_bfloat16", lambda: has_bfloat16)
    rounded = []
    refresh = RoughEncoder.refresh

    def counted(self, run):
        rounded.append(self)
        refresh(self, run)

    monkeypatch.setattr(RoughEncoder, "refresh", counted)
    size = (np.abs(X) @ np.abs(fitted.encoder_).T).max()
    assert_same_codes(fitted.transform(X), expected, rounding(np.float32, 64 + 1, size))
    assert len(rounded) == has_bfloat16
    for former in (fitted, of_batch):  # the encoder changes from step to step
        again = fit(former.activation)
        np.testing.assert_allclose(again.components_, former.components_, atol=1e-4)
    assert (len(rounded) > 4) == has_bfloat16
    # in float64 nothing is rough
    assert fitted.transform(X.astype(np.float64)).dtype == np.float64


@pytest.mark.parametrize("of_batch", [False, True])
def test_ordinary_encoders_are_screened(of_batch):
    generator = torch.Generator().manual_seed(0)
    encoder = torch.nn.functional.normalize(torch.randn(1024, 64, generator=generator), dim=1)
    inputs = torch.randn(20, 64, generator=generator)
    with sharing() as run:
        screen = screened(encoder, torch.zeros(1024), inputs, run)
        assert (screen.largest_of_batch(4) if of_batch else screen.largest(4)) is not None


def test_numbers_too_large_for_their_norms_are_left_to_exact_products():
    inputs = torch.full((2, 3), 1e30)
    with sharing() as run:
        screen = screened(torch.full((40, 3), 1e30), torch.zeros(40), inputs, run)
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
        screen = screened(encoder, torch.zeros(n_atoms), inputs, run)
        assert screen._rough[0, 7] < 0
        for codes in (screen.largest(1), screen.largest_of_batch(1)):
            assert dense(codes)[0].nonzero().flatten().tolist() == [7]


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
        norms, roundings = _screening._round(matrix, rounded, run)
    expected = matrix.bfloat16()
    assert torch.equal(rounded[:, :width], expected)
    assert (rounded[:, width] == 0).all()
    exact = matrix.double().norm(dim=1), (matrix.double() - expected.double()).norm(dim=1)
    for found, norm in zip((norms, roundings), exact, strict=True):
        fits = ((norm > 1e-18) & (norm < 1e18)).numpy()  # other squares leave the range of float32
        np.testing.assert_allclose(found[fits], norm.numpy()[fits], rtol=1e-5)


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
