"""Dead atoms, made on purpose, are brought back and put to use."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder._batches import Samples
from sklearn_groupcross.crosscoder._objective import auxk_loss
from sklearn_groupcross.crosscoder._revival import resample

GROUP = Dihedral(3)
N_ALIVE, N_DEAD = 4, 20


@pytest.fixture(scope="module")
def data():
    return make_orbits(1200, group=GROUP, n_channels=16, n_active=3, random_state=0)


def crippled(data, activation, dead_features, **options):
    """A dictionary most of whose atoms have an encoder bias that no sample overcomes."""
    defaults = {
        "group": GROUP,
        "n_features": N_ALIVE + N_DEAD,
        "activation": activation,
        "k": 3 if "topk" in activation else None,
        "dead_features": dead_features,
        "warm_start": True,
        "batch_size": 100,
        "max_epochs": 25,
        "l1": 0.03,
        "random_state": 0,
    }
    crosscoder = GroupCrosscoder(**{**defaults, **options})
    crosscoder.set_params(max_epochs=1).fit(data.orbits)
    values = data.orbits[:, 0] @ crosscoder.encoder_.T
    silent = -values.max(axis=0) - 0.1 * values.std(axis=0)
    crosscoder.encoder_intercept_[N_ALIVE:] = silent[N_ALIVE:]
    assert n_dead(crosscoder, data) >= N_DEAD
    return crosscoder.set_params(max_epochs=defaults["max_epochs"]).fit(data.orbits)


def n_dead(crosscoder, data):
    return int((crosscoder.transform(data.orbits) > 0).any(axis=0).__invert__().sum())


@pytest.mark.parametrize(
    ("activation", "dead_features"),
    [
        ("relu", "resample"),
        ("jumprelu", "resample"),
        ("topk", "auxk"),
        ("batch_topk", "auxk"),
        ("relu", "auxk"),
    ],
)
def test_dead_atoms_come_back_and_explain_something(data, activation, dead_features):
    left_alone = crippled(data, activation, None)
    helped = crippled(data, activation, dead_features)
    assert n_dead(left_alone, data) >= N_DEAD * 0.9
    assert n_dead(helped, data) <= N_DEAD * 0.4
    assert helped.score(data.orbits) > left_alone.score(data.orbits) + 0.1


def test_auto_chooses_by_activation(data):
    for activation, choice in [("relu", "resample"), ("topk", "auxk")]:
        auto, chosen = (
            GroupCrosscoder(
                group=GROUP,
                n_features=40,
                activation=activation,
                dead_features=dead_features,
                max_epochs=8,
                random_state=0,
            ).fit(data.orbits)
            for dead_features in ("auto", choice)
        )
        np.testing.assert_array_equal(auto.components_, chosen.components_)


@pytest.fixture
def trainer(data):
    """A trainer whose last six atoms have not fired for long."""
    crosscoder = GroupCrosscoder(group=GROUP, n_features=10).partial_fit(data.orbits)
    crosscoder._trainer.counters.idle[4:] = 10**9
    return crosscoder._trainer


@pytest.fixture
def batch(data, trainer):
    return samples(trainer, data.orbits[:50])


def samples(trainer, orbits):
    stacks = trainer.units.apply_(torch.tensor(orbits.reshape(len(orbits), -1)))
    return Samples(stacks[:, :16], stacks)


def test_resampled_atoms_point_at_badly_reconstructed_samples(trainer, batch):
    error = batch.targets - trainer.reconstruction(batch.inputs)
    living = trainer.parameters.decoder.detach()[:4].clone()
    trainer.resample(batch)
    assert torch.equal(trainer.parameters.decoder[:4], living)
    assert (trainer.counters.idle[4:] == 0).all()
    atoms = torch.nn.functional.normalize(trainer.parameters.decoder[4:], dim=1)
    cosines = atoms @ torch.nn.functional.normalize(error, dim=1).T
    torch.testing.assert_close(cosines.amax(1), torch.ones(6))
    for parameter in trainer.parameters.tensors()[:3]:
        moments = trainer.optimizer.state[parameter]
        assert (moments["exp_avg"][4:] == 0).all()
        assert (moments["exp_avg"][:4] != 0).any()


def test_resampled_thresholds_let_an_atom_fire_on_its_sample(data):
    crosscoder = GroupCrosscoder(
        group=GROUP, n_features=10, activation="jumprelu", random_state=0
    ).partial_fit(data.orbits)
    trainer = crosscoder._trainer
    trainer.counters.idle[4:] = 10**9
    batch = samples(trainer, data.orbits)
    trainer.resample(batch)
    assert (trainer.counters.idle[4:] == 0).all()
    values = batch.inputs @ trainer.parameters.encoder.T + trainer.parameters.encoder_bias
    fires = (values > trainer.parameters.log_threshold.exp())[:, 4:].float().mean(0)
    assert (fires > 0).all()
    assert fires.mean() < 0.4


def test_resampling_itself_changes_nothing(trainer, batch):
    before = {name: tensor.clone() for name, tensor in trainer.parameters.named().items()}
    dead, read = trainer.counters.dead_atoms(), trainer.read_part
    rebuilt = trainer.reconstruction(batch.inputs)
    new = resample(trainer.parameters, trainer.options, batch, rebuilt, dead, read, trainer.step)
    assert new.atoms.tolist() == [4, 5, 6, 7, 8, 9]
    for name, rows in new.rows.items():
        assert rows.shape == before[name][4:].shape
        assert torch.equal(trainer.parameters.named()[name], before[name])


def test_more_dead_atoms_than_samples_wait_for_the_next_time(trainer, batch):
    trainer.resample(Samples(batch.inputs[:4], batch.targets[:4]))
    assert len(trainer.counters.dead_atoms()) == 2


def test_perfect_reconstructions_have_nothing_to_resample_from(trainer, batch):
    trainer.parameters.encoder.data.zero_()
    trainer.parameters.encoder_bias.data.fill_(-1.0)
    constant = trainer.parameters.flat_bias().detach().expand_as(batch.targets)
    before = trainer.parameters.decoder.detach().clone()
    trainer.resample(Samples(batch.inputs, constant))
    assert len(trainer.counters.dead_atoms()) == 6
    assert torch.equal(trainer.parameters.decoder, before)


def test_the_auxiliary_loss_teaches_dead_atoms_alone(trainer, batch):
    parameters, options = trainer.parameters, trainer.options
    for tensor in parameters.tensors():
        tensor.grad = None
    values = batch.inputs @ parameters.encoder.T + parameters.encoder_bias
    error = (batch.targets - trainer.reconstruction(batch.inputs)).requires_grad_(True)
    dead = trainer.counters.dead_atoms()
    auxk_loss(values[:, dead], error, parameters.decoder[dead], options).backward()
    assert error.grad is None  # what is left over is a target, not something to learn
    assert parameters.decoder_bias.grad is None or not parameters.decoder_bias.grad.any()
    for parameter in (parameters.encoder, parameters.decoder):
        touched = parameter.grad.flatten(1).any(1)
        assert not touched[:4].any()
        assert touched[4:].all()


def test_the_auxiliary_loss_is_a_share_of_the_error_at_most_by_scale(trainer, batch):
    """Silent dead atoms explain nothing: the loss is 1/32 of the error's mean square."""
    error = batch.targets - trainer.reconstruction(batch.inputs)
    loss = auxk_loss(torch.zeros(50, 6), error, trainer.parameters.decoder[4:], trainer.options)
    assert loss.item() == pytest.approx(error.square().mean().item() / 32, rel=1e-5)


def test_no_atom_is_brought_back_for_less_than_its_price(data):
    """Thresholds rise slowly: atoms that come back with low ones would outlive any penalty."""
    options = {"group": GROUP, "n_features": 16, "activation": "jumprelu", "batch_size": 50}
    crosscoder = GroupCrosscoder(**options, l1=10.0, max_epochs=20, random_state=0)
    with pytest.warns(ConvergenceWarning, match="did not fire"):
        crosscoder.fit(data.orbits)
    assert not crosscoder.transform(data.orbits).any()
    # where the price is low, they are
    assert (
        GroupCrosscoder(**options, l1=0.3, max_epochs=20, random_state=0)
        .fit(data.orbits)
        .transform(data.orbits)
        .any()
    )
