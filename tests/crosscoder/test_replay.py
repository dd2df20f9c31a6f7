"""Recorded steps: when they are recorded, and that they do what launched ones do."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross.crosscoder import _replay
from sklearn_groupcross.crosscoder._batches import Samples
from sklearn_groupcross.crosscoder._replay import ReplayedSteps
from sklearn_groupcross.crosscoder._trainer import Trainer

from .kinds import NAMES, k_for
from .small_fits import larger_orbits, small, small_orbits

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")


class Graph:
    """A CUDA graph's twin: what is launched while it records is not done, but kept."""

    recording: Graph | None = None

    def capture_begin(self, **options):
        assert options["capture_error_mode"] == "thread_local"
        Graph.recording = self

    def capture_end(self):
        Graph.recording = None

    def replay(self):
        self.work()


@pytest.fixture
def graphs(monkeypatch):
    stream = SimpleNamespace(wait_stream=lambda other: None)
    for name, value in {
        "CUDAGraph": Graph,
        "graph_pool_handle": lambda: (0, 0),
        "Stream": lambda device: stream,
        "current_stream": lambda device: stream,
        "stream": lambda stream: nullcontext(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)


def samples_of(n):
    numbers = torch.arange(2.0 * n).reshape(n, 2)
    return Samples(numbers[:, :1], numbers)


def recorder(launched):
    """A step that counts how often the host launches it."""

    def step(samples, l1, dead):
        launched.append(len(samples))
        result = torch.zeros(())

        def work():
            n_dead = 0.0 if dead is None else dead.sum()
            result.copy_(samples.targets.sum() + samples.inputs.sum() + l1 + n_dead)

        if Graph.recording is None:
            work()
        else:
            Graph.recording.work = work
        return result

    return step


def expected(samples, l1, dead):
    return samples.targets.sum() + samples.inputs.sum() + l1 + (0 if dead is None else dead.sum())


def test_what_comes_again_is_launched_twice_and_then_replayed(graphs):
    launched = []
    steps = ReplayedSteps(recorder(launched), torch.device("cpu"))
    for number in range(1, 7):
        samples = samples_of(3)
        samples.targets.mul_(number)
        assert steps(samples, 0.5, None) == expected(samples, 0.5, None)
    assert launched == [3, 3]  # the first, and the one that is recorded


def test_every_kind_of_input_is_recorded_by_itself(graphs):
    launched = []
    steps = ReplayedSteps(recorder(launched), torch.device("cpu"))
    kinds = [(3, 0.0, None), (4, 0.0, None), (4, 0.5, None), (4, 0.5, torch.tensor([1, 5]))]
    for _ in range(3):
        for n, l1, dead in kinds:
            for shift in range(3):  # other dead atoms, as many as before
                moved = None if dead is None else dead + shift
                assert steps(samples_of(n), l1, moved) == expected(samples_of(n), l1, moved)
    assert launched == [3, 3, 4, 4, 4, 4, 4, 4]


def test_few_graphs_are_kept_at_a_time(graphs, monkeypatch):
    monkeypatch.setattr(_replay, "_MOST_GRAPHS", 2)
    launched = []
    steps = ReplayedSteps(recorder(launched), torch.device("cpu"))
    for n in (1, 2, 3, 1):
        for _ in range(3):
            assert steps(samples_of(n), 0.0, None) == expected(samples_of(n), 0.0, None)
    assert launched == [1, 1, 2, 2, 3, 3, 1, 1]


@pytest.mark.parametrize("activation", NAMES)
def test_a_step_changes_all_it_keeps_in_place(activation, monkeypatch):
    """A graph writes where it wrote when it was recorded."""
    places = []
    step = Trainer._step

    def watched(self, *args):
        result = step(self, *args)
        kept = [self.threshold, *self.parameters.tensors(), *self.counters.state().values()]
        kept += [each for state in self.optimizer.state.values() for each in state.values()]
        places.append([tensor.data_ptr() for tensor in kept])
        return result

    monkeypatch.setattr(Trainer, "_step", watched)
    small(activation=activation, k=k_for(activation, 3), dead_features=None).fit(small_orbits())
    assert len(places) > 2
    assert all(each == places[0] for each in places)


@pytest.mark.cuda
@needs_cuda
@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("compression", [None, 0.9])
def test_replayed_steps_are_those_that_are_launched(activation, compression, monkeypatch):
    def fit():
        return GroupCrosscoder(
            group="dihedral:3", n_features=40, activation=activation, k=k_for(activation, 3),
            compression=compression, augment=True, batch_size=50, max_epochs=20, device="cuda",
            precision="float32", random_state=0,
        ).fit(larger_orbits())  # fmt: skip

    replays = []
    replay = torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(
        torch.cuda.CUDAGraph, "replay", lambda self: (replays.append(1), replay(self))
    )
    replayed = fit()
    assert replays
    monkeypatch.setattr(ReplayedSteps, "__call__", lambda self, *args: self._step(*args))
    launched = fit()
    np.testing.assert_allclose(replayed.components_, launched.components_, atol=1e-5)
    np.testing.assert_allclose(
        replayed.history_["step_loss"], launched.history_["step_loss"], rtol=1e-4
    )
