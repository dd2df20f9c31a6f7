"""Which atoms fire, and which are dead."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.crosscoder._counters import Counters

N_ATOMS, N_SAMPLES = 4, 10


def counters(expected_share=1.0, dead_samples=25):
    return Counters(
        SimpleNamespace(
            n_atoms=N_ATOMS,
            rule=SimpleNamespace(expected_share=expected_share),
            dead_samples=dead_samples,
            device=torch.device("cpu"),
        )
    )


def count(one, firing):
    fires = torch.zeros(N_ATOMS, dtype=torch.bool)
    fires[list(firing)] = True
    one.update(fires, torch.tensor(len(firing) / (N_SAMPLES * N_ATOMS)), N_SAMPLES)


subsets = st.sets(st.integers(0, N_ATOMS - 1))


@given(st.lists(subsets, min_size=1, max_size=8))
def test_an_atom_is_idle_since_the_step_in_which_it_last_fired(steps):
    one = counters()
    for firing in steps:
        count(one, firing)
    for atom in range(N_ATOMS):
        last = max((number for number, firing in enumerate(steps) if atom in firing), default=-1)
        assert one.idle[atom] == (len(steps) - 1 - last) * N_SAMPLES
        assert bool(one.fired[atom]) == (last >= 0)
    dead = [atom for atom in range(N_ATOMS) if one.idle[atom] >= 25]
    assert one.dead_atoms().tolist() == dead
    assert float(one.active_share) == pytest.approx(len(steps[-1]) / (N_SAMPLES * N_ATOMS))


def test_an_epoch_forgets_what_fired_but_not_how_long_ago():
    one = counters()
    count(one, {1})
    count(one, {2})
    one.start_epoch()
    assert not one.fired.any()
    assert one.idle.tolist() == [20, 10, 0, 20]


def test_the_dead_are_counted_every_sixteen_steps():
    one = counters(dead_samples=N_SAMPLES)
    assert one.recently_dead(0).tolist() == []
    count(one, {0})
    assert one.recently_dead(1).tolist() == []
    assert one.recently_dead(16).tolist() == [1, 2, 3]


def test_before_the_first_step_the_activation_says_what_share_to_expect():
    assert float(counters(expected_share=0.25).active_share) == 0.25
    assert float(counters().active_share) == 1.0


@given(st.lists(subsets, max_size=6), subsets)
def test_counters_go_on_from_their_state(before, following):
    one, other = counters(), counters()
    for firing in before:
        count(one, firing)
    one.recently_dead(0)
    other.set_state(one.state())
    for each in (one, other):
        count(each, following)
        assert each.recently_dead(1).tolist() == one.recently_dead(1).tolist()
    for name, tensor in one.state().items():
        assert torch.equal(tensor, other.state()[name]), name
