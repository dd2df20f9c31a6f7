"""A step with the active codes alone does what the dense step does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder import _sparse_codes
from sklearn_groupcross.crosscoder._batches import Samples
from sklearn_groupcross.crosscoder._options import TrainingOptions
from sklearn_groupcross.crosscoder._parameters import initialise
from sklearn_groupcross.crosscoder._sparse_step import SparseStep
from sklearn_groupcross.crosscoder._step import dense_step
from sklearn_groupcross.groups import Cyclic, Trivial

ACTIVATIONS = ["relu", "topk", "batch_topk", "jumprelu"]


@st.composite
def steps(draw, activations=ACTIVATIONS):
    """Options, weights, samples and dead atoms of a step; some with no active code at all."""
    group = draw(st.sampled_from([Trivial(), Cyclic(3), Dihedral(3)]))
    n_channels, n_atoms = draw(st.integers(1, 9)), draw(st.integers(1, 25))
    activation = draw(st.sampled_from(activations))
    seed = draw(st.integers(0, 2**31 - 1))
    options = TrainingOptions(
        group=group,
        n_channels=n_channels,
        n_atoms=n_atoms,
        activation=activation,
        k=draw(st.integers(1, n_atoms)) if "topk" in activation else None,
        l1=0.3,
        l1_weight=draw(st.sampled_from(["joint", "blockwise"])),
        encoder_input=draw(st.sampled_from(["identity", "orbit"])),
        augment=draw(st.booleans()),
        n_steps=10,
        learning_rate=1e-3,
        warm_up=0.0,
        decay=0.0,
        l1_warm_up=0.0,
        max_grad_norm=1.0,
        dead_features="auxk",
        dead_samples=1,
        precision="float32",
        compression=None,
        device=torch.device("cpu"),
        seed=seed,
    )
    generator = torch.Generator().manual_seed(seed)
    parameters = initialise(options)
    parameters.encoder_bias = torch.randn(n_atoms, generator=generator)
    if draw(st.booleans()):
        parameters.encoder_bias -= 1e3  # no code is active
    if draw(st.booleans()):
        parameters.decoder[0] = 0.0  # an atom without a norm
    if parameters.log_threshold is not None:
        parameters.log_threshold = torch.randn(n_atoms, generator=generator)
    targets = torch.randn(draw(st.integers(1, 7)), options.width, generator=generator)
    samples = Samples(targets[:, : options.n_read].contiguous(), targets)
    n_dead = draw(st.integers(0, n_atoms))
    dead = torch.randperm(n_atoms, generator=generator)[:n_dead].sort().values
    return options, parameters, samples, draw(st.sampled_from([0.0, 0.3])), dead


def assert_close(found, expected, name):
    found, expected = found.double(), expected.double()
    scale = float(expected.abs().max()) if expected.isfinite().all() else 0.0
    torch.testing.assert_close(
        found, expected, rtol=1e-5, atol=1e-5 * scale, msg=lambda text: f"{name}: {text}"
    )


@given(step=steps())
def test_loss_gradients_and_counts_are_those_of_the_dense_step(step):
    options, parameters, samples, l1, dead = step
    dense = parameters.learnable(options.device)
    expected = dense_step(dense, options, samples, l1, dead)
    sparse = parameters.learnable(options.device)
    found = SparseStep(sparse, options)(samples, l1, dead)
    for name, value in vars(expected).items():
        assert_close(getattr(found, name), value, name)
    for name, tensor in dense.named().items():
        # in float32 both lose what cancels: gradients are compared with what they are sums of
        gradient = sparse.named()[name].grad
        assert gradient.shape == tensor.shape
        assert_close(gradient, tensor.grad, name)


@given(first=steps(), seed=st.integers(0, 2**32 - 1))
def test_memory_of_one_step_does_no_harm_to_the_next(first, seed):
    options, parameters, samples, l1, dead = first
    used, fresh = parameters.learnable(options.device), parameters.learnable(options.device)
    step = SparseStep(used, options)
    step(samples, l1, dead)
    targets = torch.randn(5, options.width, generator=torch.Generator().manual_seed(seed))
    others = Samples(targets[:, : options.n_read].contiguous(), targets)
    step(others, l1, dead)
    SparseStep(fresh, options)(others, l1, dead)
    for name, tensor in fresh.named().items():
        assert torch.equal(tensor.grad, used.named()[name].grad)


@pytest.mark.parametrize(
    "more", [{}, {"l1_weight": "blockwise"}, {"compression": 0.95, "augment": True}], ids=str
)
@pytest.mark.parametrize("activation", ACTIVATIONS)
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
            k=3 if "topk" in activation else None,
            batch_size=50,
            max_epochs=10,
            random_state=0,
            **more,
        ).fit(orbits)

    monkeypatch.setattr(SparseStep, "__call__", counted)
    monkeypatch.setattr(_sparse_codes, "_SMALL_DECODER", 0)
    sparse = run(1.0)
    assert len(sparse_steps) == sparse.n_iter_
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
    assert 0 < len(shares) < crosscoder.n_iter_
    assert np.median(shares) <= 0.3
