"""Steps are replayed where that was seen to give what launched ones give."""

from __future__ import annotations

import pytest
import torch

from sklearn_groupcross.crosscoder import _replay_check, _trainer
from sklearn_groupcross.crosscoder._replay_check import replays_on

GPU = torch.device("cuda")


class Launched:
    """In place of recorded steps: they are launched, and now and then badly."""

    wrong = False

    def __init__(self, step, device):
        self.step = step

    def __call__(self, samples, l1, dead):
        if self.wrong:
            samples.targets.mul_(1.5)
        return self.step(samples, l1, dead)


class Failing(Launched):
    def __call__(self, samples, l1, dead):
        raise RuntimeError("operation not permitted when stream is capturing")


@pytest.fixture
def on_cpu(monkeypatch):
    """The check as on a GPU, computed on the CPU."""
    trained = _replay_check._trained
    monkeypatch.setattr(
        _replay_check, "_trained", lambda _, replays: trained(torch.device("cpu"), replays=replays)
    )
    replays_on.cache_clear()
    yield lambda kind: monkeypatch.setattr(_trainer, "ReplayedSteps", kind)
    replays_on.cache_clear()


def test_a_cpu_replays_nothing():
    assert not replays_on(torch.device("cpu"))


def test_what_gives_the_same_is_replayed(on_cpu):
    on_cpu(Launched)
    assert replays_on(GPU)


def test_wrong_results_are_seen(on_cpu, monkeypatch):
    on_cpu(Launched)
    monkeypatch.setattr(Launched, "wrong", True)
    with pytest.warns(
        RuntimeWarning, match="do not work on cuda .what is learned differs.* goes on"
    ):
        assert not replays_on(GPU)


def test_a_step_that_cannot_be_recorded_is_told(on_cpu):
    on_cpu(Failing)
    with pytest.warns(RuntimeWarning, match="RuntimeError: operation not permitted when stream"):
        assert not replays_on(GPU)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_a_gpu_replays_steps():
    replays_on.cache_clear()
    assert replays_on(GPU)
