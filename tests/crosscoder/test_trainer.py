"""A step: what it reads, and what becomes of gradients."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from sklearn_groupcross.crosscoder import _trainer
from sklearn_groupcross.crosscoder._active import _gathering
from sklearn_groupcross.crosscoder._parallelism import gradients_of
from sklearn_groupcross.crosscoder._parameters import Parameters
from sklearn_groupcross.crosscoder._trainer import Trainer, clip_gradients

from .small_fits import small, small_orbits


@pytest.fixture(scope="module")
def orbits():
    return small_orbits()


@pytest.mark.parametrize("gathers", [False, True])
def test_no_step_reads_from_the_device(gathers, orbits, monkeypatch):
    """A number that is read in every step stalls a GPU: `Tensor.item` and its kin are counted."""
    # kernels, whose interpreter reads, are left out; what is around them has to be there
    sums = []
    monkeypatch.setattr(_gathering, "is_faster_gathered", lambda *_: gathers)
    monkeypatch.setattr(
        _gathering,
        "_sums",
        lambda indptr, indices, data, matrix: (
            sums.append(1) or matrix.new_zeros(len(indptr) - 1, matrix.shape[1])
        ),
    )
    monkeypatch.setattr(
        _gathering,
        "_products",
        lambda starts, chosen, vectors, matrix: vectors.new_zeros(len(chosen)),
    )
    # sparse steps, which have to be told what is zero, are for the CPU
    monkeypatch.setattr(_trainer, "is_faster_without_zeros", lambda share, decoder: False)
    reads, in_step = [], False
    for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "nonzero"):
        original = getattr(torch.Tensor, name)

        def counted(self, *args, _original=original, _name=name, **kwargs):
            # meanwhile another thread reads the next batch, which is on the CPU
            if in_step and not threading.current_thread().name.startswith("read-ahead"):
                reads.append(_name)
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, counted)
    train_on = Trainer.train_on

    def watched(self, batch):
        nonlocal in_step
        in_step = self.step % 16 != 0  # where dead atoms are counted, every 16 steps, it may
        train_on(self, batch)
        in_step = False

    monkeypatch.setattr(Trainer, "train_on", watched)
    small(activation="topk", k=2, batch_size=16).fit(orbits)
    assert reads == []
    assert bool(sums) == gathers


class TestClipping:
    def gradients(self, *norms):
        tensors = [torch.zeros(3, 2, requires_grad=True) for _ in range(4)]
        for tensor, norm in zip(tensors, norms, strict=False):
            tensor.grad = torch.full((3, 2), norm / 6**0.5)
        return Parameters(*tensors)

    def norm(self, parameters):
        return float(torch.stack([gradient.norm() for gradient in gradients_of(parameters)]).norm())

    @pytest.mark.parametrize("looks", [False, True])
    def test_a_large_gradient_keeps_its_direction_and_loses_its_size(self, looks):
        parameters = self.gradients(30.0, 40.0)
        clip_gradients(parameters, 5.0, looks=looks)
        assert self.norm(parameters) == pytest.approx(5.0, rel=1e-5)
        assert float(parameters.encoder.grad.norm()) == pytest.approx(3.0, rel=1e-5)

    @pytest.mark.parametrize("looks", [False, True])
    def test_a_small_one_is_left_alone(self, looks):
        parameters = self.gradients(3.0, 4.0)
        before = [gradient.clone() for gradient in gradients_of(parameters)]
        clip_gradients(parameters, 5.1, looks=looks)
        assert all(map(torch.equal, gradients_of(parameters), before))


def test_outliers_move_a_run_no_further_than_the_limit_lets_them(orbits, monkeypatch):
    """Of scaled data the limit is seldom reached; where it is, it decides what is learned."""
    loud = orbits.copy()
    loud[::50] *= 1000
    usual = small().fit(loud)
    monkeypatch.setattr(_trainer, "MAX_GRAD_NORM", 1e9)
    assert not np.array_equal(small().fit(loud).components_, usual.components_)
