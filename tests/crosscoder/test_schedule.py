"""How learning rate and penalty change over a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sklearn_groupcross import Dihedral
from sklearn_groupcross.crosscoder._options import TrainingOptions
from sklearn_groupcross.crosscoder._schedule import is_warming_up, l1_at, learning_rate_factor

GROUP = Dihedral(3)


def options(**changes):
    values = {
        "group": GROUP,
        "n_channels": 8,
        "n_atoms": 12,
        "activation": "relu",
        "k": None,
        "l1": 0.5,
        "encoder_input": "identity",
        "augment": False,
        "n_steps": 100,
        "learning_rate": 1.0,
        "warm_up": 0.1,
        "decay": 0.2,
        "dead_features": None,
        "dead_samples": 100,
        "precision": "float32",
        "device": torch.device("cpu"),
        "seed": 0,
    }
    return TrainingOptions(**{**values, **changes})


def test_the_learning_rate_rises_stays_and_falls_to_nearly_nothing():
    rates = [learning_rate_factor(step, options()) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:81] == [1.0] * 72
    assert rates[-1] == pytest.approx(0.05)
    assert np.all(np.diff(rates[80:]) < 0)


def test_without_warm_up_and_decay_it_is_constant():
    constant = options(warm_up=0.0, decay=0.0)
    assert {learning_rate_factor(step, constant) for step in range(100)} == {1.0}


def test_the_penalty_rises_from_its_start_to_itself():
    slow = options(warm_up=0.25)
    penalties = [l1_at(step, slow) for step in range(100)]
    assert penalties[0] == pytest.approx(0.5 / 25)
    assert penalties[24:] == [0.5] * 76
    assert l1_at(0, replace(slow, l1_start=0.4)) == pytest.approx(0.4 + 0.1 / 25)


def test_without_an_end_nothing_decays():
    endless = options(n_steps=None)
    assert learning_rate_factor(10**6, endless) == 1.0
    assert l1_at(10**6, endless) == 0.5


def test_the_warm_up_ends_when_learning_rate_and_penalty_stand():
    ends = [is_warming_up(step, options()) for step in range(100)]
    assert ends == [True] * 9 + [False] * 91
