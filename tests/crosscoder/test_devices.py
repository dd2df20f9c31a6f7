"""Where tensors live, and how many cores work on them."""

from __future__ import annotations

import pickle
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder._batches import Samples
from sklearn_groupcross.crosscoder._parameters import Parameters
from sklearn_groupcross.crosscoder._step import dense_step
from sklearn_groupcross.crosscoder._trainer import Trainer

from .kinds import NAMES, k_for

GROUP = Dihedral(3)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.cuda, needs_cuda])]


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(200, group=GROUP, n_channels=8, random_state=0).orbits


def build(**options):
    k = k_for(options.get("activation", "relu"), 3)
    return GroupCrosscoder(
        group=GROUP, n_features=12, k=k, max_epochs=4, batch_size=50, random_state=0, **options
    )


@pytest.mark.parametrize("activation", NAMES)
def test_the_loss_mixes_no_devices(orbits, activation):
    """On the meta device, which holds no numbers, a tensor made on the CPU by mistake shows."""
    trainer = build(activation=activation).partial_fit(orbits)._trainer
    options = replace(trainer.options, device=torch.device("meta"), precision="bfloat16")
    named = trainer.parameters.named().items()
    parameters = Parameters(**{name: value.to("meta") for name, value in named}).learnable(
        options.device
    )
    units = trainer.units.on(options.device)
    stacks = units.apply_(torch.empty(50, options.width, device="meta"))
    dead = torch.empty(5, dtype=torch.int64, device="meta")
    samples = Samples(stacks[:, : options.n_channels], stacks)
    outcome = dense_step(parameters, options, samples, 0.1, dead)
    gradients = [tensor.grad for tensor in parameters.tensors()]
    assert {tensor.device.type for tensor in [*vars(outcome).values(), *gradients]} == {"meta"}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("activation", NAMES)
def test_every_device_gives_numpy_and_about_the_same(orbits, activation, device):
    options = {"activation": activation, "precision": "float32"}
    there = build(device=device, **options).fit(orbits)
    here = build(device="cpu", **options).fit(orbits)
    assert isinstance(there.transform(orbits), np.ndarray)
    np.testing.assert_allclose(there.components_, here.components_, atol=1e-2)


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_trained_on_any_device_goes_on_on_the_cpu(orbits, tmp_path, device):
    crosscoder = build(device=device).partial_fit(orbits)
    copied = pickle.loads(pickle.dumps(crosscoder)).set_params(device="cpu")
    tensors = [*copied._trainer.parameters.tensors(), copied._trainer.counters.idle]
    assert {tensor.device.type for tensor in tensors} == {"cpu"}
    copied.partial_fit(orbits)
    crosscoder.save(tmp_path / "model.safetensors")
    assert GroupCrosscoder.load(tmp_path / "model.safetensors").device == "auto"


@pytest.mark.parametrize("encoder_input", ["identity", "orbit"])
@pytest.mark.parametrize("device", DEVICES)
def test_compression_gives_about_the_same_on_every_device(orbits, device, encoder_input):
    options = {"precision": "float32", "compression": 0.9, "augment": True}
    options |= {"encoder_input": encoder_input, "warm_start": True}
    there = build(device=device, **options).fit(orbits)
    here = build(device="cpu", **options).fit(orbits)
    assert there.n_coordinates_ == here.n_coordinates_
    np.testing.assert_allclose(there.components_, here.components_, atol=1e-2)
    assert np.isfinite(there.fit(orbits).components_).all()  # from weights that are there


def threads_and_score(estimator, X, y=None):
    return {"threads": torch.get_num_threads(), "score": estimator.score(X)}


def test_a_parallel_search_shares_the_cores(orbits):
    """Each worker process gets its share of the cores: together they use no more than there are."""
    n_jobs = 2
    search = GridSearchCV(
        build(device="cpu"),
        {"l1": [0.05, 0.2]},
        scoring=threads_and_score,
        refit="score",
        cv=2,
        n_jobs=n_jobs,
    ).fit(orbits.reshape(200, -1))
    threads = search.cv_results_["mean_test_threads"]
    assert (threads * n_jobs <= max(n_jobs, joblib.cpu_count())).all()


@pytest.mark.parametrize("device", DEVICES)
def test_tf32_is_for_training_on_cuda_alone(orbits, device, monkeypatch):
    """It is a setting of the whole process: it must be as before when training ends, or fails."""
    seen = []
    train_on = Trainer.train_on

    def watched(self, batch):
        seen.append(torch.get_float32_matmul_precision())
        train_on(self, batch)
        if len(seen) == 3:
            raise ArithmeticError("in the third step")

    before = torch.get_float32_matmul_precision()
    monkeypatch.setattr(Trainer, "train_on", watched)
    with pytest.raises(ArithmeticError, match="third step"):
        build(precision="tf32", device=device).fit(orbits)
    assert set(seen) == {"high" if device == "cuda" else before}
    assert torch.get_float32_matmul_precision() == before
