"""What the rest of the package asks an activation, of all that there are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sklearn_groupcross._parallel import sharing
from sklearn_groupcross.crosscoder._activations import ACTIVATIONS
from tests.tolerances import rounding

from ..kinds import NAMES, k_for
from ..steps import of_each_activation, steps

THRESHOLDS = [None, 0.5, np.full(7, 0.5, np.float32)]


@pytest.mark.parametrize("name", NAMES)
def test_a_k_that_means_nothing_is_refused_and_so_is_none_where_it_is_needed(name):
    k = k_for(name, 3)
    ACTIVATIONS[name](7, 12, k)
    with pytest.raises(ValueError, match="with k="):
        ACTIVATIONS[name](7, 12, 3 if k is None else None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("threshold", THRESHOLDS, ids=["none", "number", "one an atom"])
def test_what_a_model_has_says_whether_it_may_be_of_it(name, k, threshold):
    kind = ACTIVATIONS[name]
    ndim = None if threshold is None else np.ndim(threshold)
    expected = k == k_for(name, 3) and ndim == kind.threshold_ndim
    assert kind.fits(k, threshold) == expected
    if expected:  # the threshold comes back as it was
        array = kind.threshold_array(threshold)
        np.testing.assert_array_equal(array, 0.0 if threshold is None else threshold)


@of_each_activation
def test_active_codes_and_their_price_are_the_dense_ones(name, data):
    options, parameters, samples, l1, _ = data.draw(steps([name]))
    rule = options.rule
    codes, gates = rule.codes(parameters.preactivations(samples.inputs), parameters)
    with sharing() as run:
        found = rule.active_codes(samples.inputs, parameters, None, run).codes
        dense = torch.zeros_like(codes)
        found.write_into(dense, run)
    assert torch.equal(dense, codes)
    price = rule.price(codes, gates, parameters, l1)
    expected = 0.0 if price is None else float(price)
    size = len(codes) * options.n_atoms * options.width
    atol = rounding(torch.float32, size) * (1.0 + abs(expected))
    assert rule.sparse_price(found, parameters, l1).value == pytest.approx(expected, abs=atol)


@of_each_activation
def test_nothing_up_to_the_threshold_is_active_at_inference(name, data):
    options, parameters, samples, _, _ = data.draw(steps([name]))
    kept = data.draw(st.floats(0.0, 2.0))
    rule = options.rule
    threshold = rule.threshold(torch.tensor(kept), parameters)
    codes = rule.infer(samples.inputs, parameters, threshold)
    active = codes > 0
    assert (codes >= 0).all()
    if rule.threshold_ndim is not None:
        values = parameters.preactivations(samples.inputs)
        assert torch.equal(active, values > threshold)
        assert torch.equal(codes[active], values[active])
    if rule.uses_k and rule.threshold_ndim is None:
        assert (active.sum(1) <= rule.k).all()


def check_inference(rule, parameters, inputs):
    """Codes at inference are those of training, over a threshold that keeps as many of them."""
    values = parameters.preactivations(inputs)
    trained, _ = rule.codes(values, parameters)
    # where a batch shares its codes out, what it leaves is what inference has to leave as well
    left = values[trained == 0]
    largest = left.max() if len(left) else torch.tensor(0.0)
    threshold = rule.threshold(largest, parameters)
    assert torch.equal(rule.infer(inputs, parameters, threshold), trained)
    out = torch.zeros_like(trained)
    rule.infer(inputs, parameters, threshold, out=out)
    assert torch.equal(out, trained)


@of_each_activation
def test_inference_gives_the_codes_of_training(name, data):
    options, parameters, samples, _, _ = data.draw(steps([name]))
    check_inference(options.rule, parameters, samples.inputs)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "change",
    [
        lambda codes: codes * 1.001,
        lambda codes: codes * (codes < codes.max()),
        lambda codes: codes.roll(1, dims=1),
    ],
    ids=["a little larger", "without the largest", "of other atoms"],
)
def test_inference_that_gives_other_codes_is_found(name, change):
    class Other(ACTIVATIONS[name]):
        def infer(self, inputs, parameters, threshold, rough=None, out=None):
            codes = change(super().infer(inputs, parameters, threshold, rough))
            return codes if out is None else out.copy_(codes)

    @settings(max_examples=10, phases=[Phase.generate], print_blob=False)
    @given(step=steps([name]))
    def check(step):
        options, parameters, samples, _, _ = step
        rule = Other(options.n_atoms, options.width, options.k)
        check_inference(rule, parameters, samples.inputs)

    with pytest.raises(AssertionError):
        check()


@of_each_activation
def test_the_threshold_of_a_fitted_model_is_that_of_training(name, data):
    options, parameters, _, _, _ = data.draw(steps([name]))
    rule, running = options.rule, torch.tensor(0.25)
    fitted = rule.fitted_threshold(running, parameters)
    assert rule.fits(options.k, fitted)
    expected = rule.threshold(running, parameters).numpy()
    np.testing.assert_array_equal(rule.threshold_array(fitted), expected)
    learned = rule.learned_log_threshold(fitted)
    assert (learned is None) == ("log_threshold" not in rule.own_parameters)
    if learned is not None:
        np.testing.assert_allclose(learned, parameters.log_threshold, rtol=1e-5, atol=1e-5)
