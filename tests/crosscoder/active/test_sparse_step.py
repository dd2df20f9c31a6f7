"""A step with the active codes alone does what the dense step does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder._active import _sparse_codes
from sklearn_groupcross.crosscoder._active._sparse_step import SparseStep
from sklearn_groupcross.crosscoder._batches import Samples
from sklearn_groupcross.crosscoder._step import dense_step

from ..kinds import NAMES, k_for
from ..steps import assert_close, of_each_activation, steps


@of_each_activation
def test_loss_gradients_and_counts_are_those_of_the_dense_step(name, data):
    options, parameters, samples, l1, dead = data.draw(steps([name]))
    dense = parameters.learnable(options.device)
    expected = dense_step(dense, options, samples, l1, dead)
    sparse = parameters.learnable(options.device)
    found = SparseStep(sparse, options)(samples, l1, dead)
    for field, value in vars(expected).items():
        assert_close(getattr(found, field), value, field)
    for parameter, tensor in dense.named().items():
        # in float32 both lose what cancels: gradients are compared with what they are sums of
        gradient = sparse.named()[parameter].grad
        assert gradient.shape == tensor.shape
        assert_close(gradient, tensor.grad, parameter)


@of_each_activation
def test_memory_of_one_step_does_no_harm_to_the_next(name, data):
    options, parameters, samples, l1, dead = data.draw(steps([name]))
    seed = data.draw(st.integers(0, 2**32 - 1))
    used, fresh = parameters.learnable(options.device), parameters.learnable(options.device)
    step = SparseStep(used, options)
    step(samples, l1, dead)
    targets = torch.randn(5, options.width, generator=torch.Generator().manual_seed(seed))
    others = Samples(targets[:, : options.n_read].contiguous(), targets)
    step(others, l1, dead)
    SparseStep(fresh, options)(others, l1, dead)
    for parameter, tensor in fresh.named().items():
        assert torch.equal(tensor.grad, used.named()[parameter].grad)


@pytest.mark.parametrize("more", [{}, {"compression": 0.95, "augment": True}], ids=str)
@pytest.mark.parametrize("activation", NAMES)
def test_a_run_ends_where_the_dense_one_does(activation, more, monkeypatch):
    """Everything that a run does, dead atoms that are brought back among it."""
    group = Dihedral(3)
    orbits = make_orbits(200, group=group, n_channels=8, random_state=0).orbits
    sparse_steps = []
    call = SparseStep.__call__

    def counted(self, *arguments):
        sparse_steps.append(1)
        return call(self, *arguments)

    def run(share):
        monkeypatch.setattr(_sparse_codes, "_MAX_SPARSE_SHARE", share)
        sparse_steps.clear()
        return GroupCrosscoder(
            group,
            24,
            activation=activation,
            k=k_for(activation, 3),
            batch_size=50,
            max_epochs=10,
            random_state=0,
            **more,
        ).fit(orbits)

    monkeypatch.setattr(SparseStep, "__call__", counted)
    monkeypatch.setattr(_sparse_codes, "_SMALL_DECODER", 0)
    sparse = run(1.0)
    assert len(sparse_steps) == sparse.n_steps_
    dense = run(-1.0)
    assert not sparse_steps
    scale = np.abs(dense.components_).max()
    np.testing.assert_allclose(sparse.components_, dense.components_, atol=2e-3 * scale)
    np.testing.assert_allclose(
        sparse.history_["step_loss"][:4], dense.history_["step_loss"][:4], rtol=1e-5
    )
    assert sparse.score(orbits) == pytest.approx(dense.score(orbits), abs=1e-3)


def test_dense_steps_become_sparse_when_codes_are(monkeypatch):
    """ReLU begins with half of all codes active; the penalty makes them fewer."""
    monkeypatch.setattr(_sparse_codes, "_SMALL_DECODER", 0)
    monkeypatch.setattr(_sparse_codes, "_MAX_SPARSE_SHARE", 0.3)
    orbits = make_orbits(200, group=Dihedral(3), n_channels=8, random_state=0).orbits
    shares = []
    call = SparseStep.__call__

    def counted(self, samples, *arguments):
        outcome = call(self, samples, *arguments)
        shares.append(float(outcome.n_active) / (len(samples) * 24))
        return outcome

    monkeypatch.setattr(SparseStep, "__call__", counted)
    crosscoder = GroupCrosscoder(
        Dihedral(3), 24, l1=0.8, batch_size=50, max_epochs=30, random_state=0
    ).fit(orbits)
    assert 0 < len(shares) < crosscoder.n_steps_
    assert np.median(shares) <= 0.3
