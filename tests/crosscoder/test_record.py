"""What a run remembers of its steps and epochs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.crosscoder._record import Record

CPU = torch.device("cpu")


def steps(n, start=0):
    """Loss, squared error, active codes a sample and samples of steps."""
    numbers = torch.arange(start, start + n, dtype=torch.float32)[:, None]
    return torch.cat([numbers, 2 * numbers, 3 * numbers, torch.full((n, 1), 10.0)], dim=1)


def recorded(*epochs):
    record, start = Record(CPU), 0
    for n_steps in epochs:
        for step in steps(n_steps, start):
            record.add(step)
        record.end_epoch(variance=4.0, n_dead=5.0)
        start += n_steps
    return record


@given(st.lists(st.integers(1, 300), min_size=1, max_size=3))
def test_the_history_holds_every_step_once_and_a_mean_an_epoch(lengths):
    """Also where there are more steps in an epoch than room at first."""
    history = recorded(*lengths).history
    n_steps = sum(lengths)
    assert history["step_loss"] == list(range(n_steps))
    assert history["step_fvu"] == [step / 2 for step in range(n_steps)]
    assert history["step_l0"] == [3 * step for step in range(n_steps)]
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    means = [start + (n - 1) / 2 for start, n in zip(starts, lengths, strict=True)]
    assert history["loss"] == pytest.approx(means)
    assert history["dead"] == [5.0] * len(lengths)


def test_batches_count_by_their_size():
    record = Record(CPU)
    record.add(torch.tensor([[1.0, 0.0, 0.0, 30.0], [4.0, 0.0, 0.0, 10.0]]))
    record.end_epoch(variance=1.0, n_dead=0.0)
    assert record.history["loss"] == [1.75]


def test_a_pass_counts_from_its_first_step():
    record = recorded(3, 3)
    assert record.n_passes == 2
    record.add(steps(1)[0])
    assert record.n_passes == 3
    assert len(record.pending) == 1


@given(st.integers(0, 300), st.integers(1, 300))
def test_a_record_goes_on_from_its_state(before, after):
    """As one that was not interrupted in the middle of an epoch."""
    whole, first = Record(CPU), Record(CPU)
    for step in steps(before):
        first.add(step)
    pending = first.pending.clone() if before else None
    resumed = Record.from_state(first.history, pending, CPU)
    for step in steps(after, before):
        resumed.add(step)
    for step in steps(before + after):
        whole.add(step)
    for record in (whole, resumed):
        record.end_epoch(variance=0.0, n_dead=0.0)
    assert resumed.history == whole.history
