from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
import torch

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    crosscoder_ensemble,
    crosscoder_path,
    make_orbits,
)
from sklearn_groupcross.crosscoder import _side_by_side, _training
from sklearn_groupcross.crosscoder._parameters import Parameters
from sklearn_groupcross.crosscoder._side_by_side import Steps, choose_n_at_once
from sklearn_groupcross.crosscoder._trainer import Trainer

from .small_fits import assert_same_weights

GROUP = Dihedral(4)
N_STEPS, N_SEEDS = 16, 3


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(
        512, group=GROUP, n_channels=48, n_families=4, noise=0.2, random_state=0
    ).orbits


@pytest.fixture(params=[2, 3])
def threads(request):
    n_threads = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(n_threads)


@pytest.fixture
def steps_made(monkeypatch):
    """Names of the threads that have made steps."""
    names = []
    train_on = Trainer.train_on

    def noted(trainer, samples):
        names.append(threading.current_thread().name)
        train_on(trainer, samples)

    monkeypatch.setattr(Trainer, "train_on", noted)
    return names


def estimator(**options):
    """So many atoms that loops over the active codes are used."""
    defaults = {
        "group": GROUP,
        "n_features": 256,
        "activation": "topk",
        "k": 4,
        "batch_size": 128,
        "max_epochs": N_STEPS // 4,
        "augment": True,
        "random_state": 0,
    }
    return GroupCrosscoder(**{**defaults, **options})


@contextmanager
def one_after_the_other(trainers):
    yield Steps(trainers)


SETTINGS = [
    {"compression": None, "dead_features": None},
    {"compression": 0.99},
    {"activation": "batch_topk", "encoder_input": "orbit", "compression": None},
    # dense steps first, and atoms that are resampled
    {"activation": "relu", "k": None, "l1": 1.0, "max_epochs": 12, "compression": None},
]


@pytest.mark.parametrize("options", SETTINGS)
def test_bits_are_those_of_one_after_the_other_and_of_a_single_fit(
    orbits, threads, steps_made, monkeypatch, options
):
    ensemble = crosscoder_ensemble(estimator(**options), orbits, N_SEEDS)
    in_pool = [name for name in steps_made if name.startswith("own threads")]
    # what has to be left to the caller's thread are the dense steps at the start
    assert len(in_pool) >= (0.4 if "l1" in options else 0.9) * len(steps_made)
    assert len(set(in_pool)) == choose_n_at_once(N_SEEDS, threads)
    monkeypatch.setattr(_training, "side_by_side", one_after_the_other)
    alone = estimator(**options).fit(orbits)
    expected = crosscoder_ensemble(estimator(**options), orbits, N_SEEDS)
    for one, other in zip([*ensemble, ensemble[0]], [*expected, alone], strict=True):
        assert_same_weights(one, other)


def test_a_path_has_the_bits_of_one_after_the_other(orbits, threads, steps_made, monkeypatch):
    template = estimator(activation="relu", k=None, compression=0.99, max_epochs=12)
    penalties = [1.0, 1.3, 1.6, 2.0]
    path = crosscoder_path(template, orbits, penalties)
    in_pool = [name for name in steps_made if name.startswith("own threads")]
    # the first of a path is alone; of so few steps many resample
    assert len(in_pool) > 0.5 * (len(steps_made) - path[0].n_steps_)
    monkeypatch.setattr(_training, "side_by_side", one_after_the_other)
    for one, other in zip(path, crosscoder_path(template, orbits, penalties), strict=True):
        assert_same_weights(one, other)


def test_where_products_depend_on_threads_the_caller_makes_the_steps(
    orbits, threads, steps_made, monkeypatch
):
    exact = Parameters.preactivations

    def inexact(parameters, inputs, out=None):
        values = exact(parameters, inputs, out)
        return values.mul_(1 + 1e-6 * torch.get_num_threads())

    monkeypatch.setattr(Parameters, "preactivations", inexact)
    options = {"dead_features": None, "compression": None}
    ensemble = crosscoder_ensemble(estimator(**options), orbits, N_SEEDS)
    assert set(steps_made) == {"MainThread"}
    assert_same_weights(ensemble[0], estimator(**options).fit(orbits))


def test_the_number_of_threads_of_the_host_stays(orbits, threads):
    crosscoder_ensemble(estimator(), orbits, N_SEEDS)
    found = [torch.get_num_threads()]
    other = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert found == [threads, threads]


def test_an_error_in_a_step_is_raised(orbits, threads, monkeypatch):
    train_on = Trainer.train_on

    def failing(trainer, samples):
        if trainer.step == 5:
            raise MemoryError("no room for step 5")
        train_on(trainer, samples)

    monkeypatch.setattr(Trainer, "train_on", failing)
    with pytest.raises(MemoryError, match="no room for step 5"):
        crosscoder_ensemble(estimator(), orbits, N_SEEDS)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("n_trainers", "n_threads", "n_at_once"),
    [
        (1, 8, 1),
        (5, 1, 1),
        (5, 2, 2),
        (2, 16, 2),
        (5, 8, 4),  # not five with one thread each
        (5, 7, 3),
        (3, 9, 3),
        (5, 16, 5),
        (20, 6, 6),
    ],
)
def test_most_threads_have_work(n_trainers, n_threads, n_at_once):
    assert choose_n_at_once(n_trainers, n_threads) == n_at_once


def test_a_single_dictionary_has_no_pool(orbits, threads, steps_made):
    estimator().fit(orbits)
    assert set(steps_made) == {"MainThread"}
    assert _side_by_side.Steps([]).n_batches == 1
