"""Steps of training of any kind, for tests of what they leave."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral
from sklearn_groupcross.crosscoder._batches import Samples
from sklearn_groupcross.crosscoder._initial import initialize
from sklearn_groupcross.crosscoder._options import TrainingOptions
from sklearn_groupcross.groups import Cyclic, Trivial

from .kinds import NAMES, k_for


@st.composite
def steps(draw, activations=NAMES):
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
        k=k_for(activation, draw(st.integers(1, n_atoms))),
        l1=0.3,
        encoder_input=draw(st.sampled_from(["identity", "orbit"])),
        augment=draw(st.booleans()),
        n_steps=10,
        learning_rate=1e-3,
        warm_up=0.0,
        decay=0.0,
        dead_features="auxk",
        dead_samples=1,
        precision="float32",
        compression=None,
        device=torch.device("cpu"),
        seed=seed,
    )
    generator = torch.Generator().manual_seed(seed)
    parameters = initialize(options)
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


def of_each_activation(test):
    """Run a test of a name and of what it draws, with every activation, for steps of that name.

    Drawn at random, an activation might hardly be tried. All of them together have about as many
    examples as another test has.
    """
    return pytest.mark.parametrize("name", NAMES)(
        settings(max_examples=10)(given(data=st.data())(test))
    )


def assert_close(found, expected, name):
    found, expected = found.double(), expected.double()
    scale = float(expected.abs().max()) if expected.isfinite().all() else 0.0
    torch.testing.assert_close(
        found, expected, rtol=1e-5, atol=1e-5 * scale, msg=lambda text: f"{name}: {text}"
    )
