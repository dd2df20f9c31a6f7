from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.crosscoder._parameters import Units

from .steps import steps


def units_for(options, seed, shared):
    generator = torch.Generator().manual_seed(seed)
    n_centers = 1 if shared else options.group.order
    center = 3 * torch.randn(n_centers, options.n_channels, generator=generator)
    return Units(center, float(torch.rand(1, generator=generator)) + 0.5)


def in_double(parameters):
    return type(parameters)(**{name: one.double() for name, one in parameters.named().items()})


@given(step=steps(), seed=st.integers(0, 99), shared=st.booleans())
def test_folded_weights_do_to_the_data_what_the_others_do_to_scaled_data(step, seed, shared):
    options, parameters, samples, _, _ = step
    parameters = in_double(parameters)
    units = units_for(options, seed, shared)
    units = Units(units.center.double(), units.scale)
    folded = units.fold(parameters, options.group.order)
    data = samples.targets.double()
    scaled = (data - units._flat_center(options.group.order)) * units.scale
    values = parameters.preactivations(scaled[:, : options.n_read])
    torch.testing.assert_close(folded.preactivations(data[:, : options.n_read]), values)
    codes = values.clamp(min=0)
    rebuilt = parameters.reconstruct(codes) / units.scale + units._flat_center(options.group.order)
    torch.testing.assert_close(folded.reconstruct(codes), rebuilt)


@given(step=steps(), seed=st.integers(0, 99), shared=st.booleans())
def test_unfolding_is_the_inverse(step, seed, shared):
    options, parameters, _, _, _ = step
    units, order = units_for(options, seed, shared), options.group.order
    back = units.unfold(units.fold(parameters, order), order)
    for name, tensor in parameters.named().items():
        found = back.named()[name]
        assert found.dtype == torch.float32
        # one bias for all blocks comes back as one a block, where centres are
        torch.testing.assert_close(found, tensor.expand_as(found), rtol=1e-4, atol=1e-3)


@given(step=steps(), seed=st.integers(0, 99), data=st.data())
def test_some_columns_are_scaled_as_all_are(step, seed, data):
    options, _, samples, _, _ = step
    units = units_for(options, seed, data.draw(st.booleans()))
    whole = units.apply_(samples.targets.clone())
    expected = (samples.targets - units._flat_center(options.group.order)) * units.scale
    torch.testing.assert_close(whole, expected, rtol=1e-5, atol=1e-5)
    first = data.draw(st.integers(0, options.width - 1))
    columns = samples.targets[:, first:].clone()
    scaled = units.apply_(columns, first)
    assert torch.equal(scaled, whole[:, first:])
    assert scaled.data_ptr() == columns.data_ptr()  # in place


@given(step=steps())
def test_copies_that_learn_leave_the_originals_alone(step):
    _, parameters, _, _, _ = step
    copies = parameters.learnable(torch.device("cpu"))
    assert copies.named().keys() == parameters.named().keys()
    for name, tensor in copies.named().items():
        assert tensor.requires_grad
        assert tensor.is_contiguous()
        assert tensor.data_ptr() != parameters.named()[name].data_ptr()
        assert torch.equal(tensor, parameters.named()[name])
        assert not copies.detached().named()[name].requires_grad
