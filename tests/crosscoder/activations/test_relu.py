from __future__ import annotations

import math

import torch
from hypothesis import given

from sklearn_groupcross._parallel import sharing
from sklearn_groupcross.crosscoder._activations._relu import ReLU
from tests.tolerances import assert_near

from ..steps import steps

relu_steps = steps(activations=["relu"])


@given(step=relu_steps)
def test_whatever_is_positive_is_a_code(step):
    options, parameters, samples, _, _ = step
    values = parameters.preactivations(samples.inputs)
    codes, gates = options.rule.codes(values, parameters)
    assert isinstance(options.rule, ReLU)
    assert gates is None
    assert torch.equal(codes, values.clamp(min=0))
    with sharing() as run:
        active = options.rule.active_codes(samples.inputs, parameters, None, run)
    assert len(active.codes.data) == int((codes > 0).sum())


@given(step=relu_steps)
def test_the_price_is_that_of_the_formula_with_dense_and_sparse_codes(step):
    options, parameters, samples, l1, _ = step
    values = parameters.preactivations(samples.inputs)
    codes, _ = options.rule.codes(values, parameters)
    price = options.rule.price(codes, None, parameters, l1)
    if l1 == 0:
        assert price is None
        return
    norms = parameters.decoder.norm(dim=1)
    width = options.width
    expected = l1 * float((codes * norms).sum()) / len(codes) / math.sqrt(width)
    assert_near(float(price), expected, codes.numel(), dtype="float32")
    with sharing() as run:
        active = options.rule.active_codes(samples.inputs, parameters, None, run)
        sparse = options.rule.sparse_price(active.codes, parameters, l1)
    assert_near(sparse.value, expected, codes.numel(), dtype="float32")
