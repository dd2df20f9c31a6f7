"""A trainer goes on from its state as if nothing had happened."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from sklearn_groupcross import Dihedral, make_orbits
from sklearn_groupcross.crosscoder import GroupCrosscoder
from sklearn_groupcross.crosscoder._batches import plan_epoch
from sklearn_groupcross.crosscoder._data import prepare_data
from sklearn_groupcross.crosscoder._in_training import DictionaryInTraining
from sklearn_groupcross.crosscoder._resolution import resolve_options, resolve_passes
from sklearn_groupcross.crosscoder._start import start
from sklearn_groupcross.crosscoder._trainer_state import on_device, state_of, take_up

GROUP = Dihedral(3)
CASES = [
    {},
    {"activation": "topk", "k": 3},
    {"activation": "batch_topk", "k": 3, "compression": 0.8, "augment": True},
    {"activation": "jumprelu", "encoder_input": "orbit"},
]


@pytest.fixture(params=CASES, ids=str)
def run(request):
    """A trainer that has made five steps, and a function that makes more of them."""
    X = make_orbits(200, group=GROUP, n_channels=8, random_state=0).orbits
    crosscoder = GroupCrosscoder(GROUP, 12, batch_size=20, **request.param)
    rows, summary = prepare_data(crosscoder, X, reset=True)
    passes = resolve_passes(crosscoder, np.arange(200), seed=0)
    trainer = start(resolve_options(crosscoder, passes), rows, summary)
    batches = plan_epoch(passes.rows, 20, 6, augment=False, seed=0, epoch=0)

    def advance(trainer, first, last):
        for samples in trainer.feed(rows).samples(batches[first:last]):
            trainer.train_on(samples)

    advance(trainer, 0, 5)
    return trainer, advance


def assert_same_state(first, second):
    (tensors, values), (others, other_values) = state_of(first), state_of(second)
    assert values == other_values
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name


def test_what_is_taken_up_goes_on_to_the_same_bits(run):
    trainer, advance = run
    tensors, values = state_of(trainer)
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    again = take_up(trainer.options, tensors, json.loads(json.dumps(values)))
    for each in (trainer, again):
        advance(each, 5, 10)
        each.end_epoch()
    assert_same_state(trainer, again)


def test_a_state_is_not_that_of_another_moment(run):
    trainer, advance = run
    tensors, values = state_of(trainer)
    again = take_up(trainer.options, tensors, values)
    advance(trainer, 5, 6)
    with pytest.raises(AssertionError):
        assert_same_state(trainer, again)


def test_on_its_own_device_it_is_itself(run):
    trainer, _ = run
    assert on_device(trainer, torch.device("cpu")) is trainer


def test_a_dictionary_is_made_of_the_state_without_an_optimizer(run):
    trainer, _ = run
    dictionary = DictionaryInTraining.from_state(trainer.options, *state_of(trainer))
    for name, tensor in dictionary.learned().named().items():
        assert torch.equal(tensor, trainer.learned().named()[name]), name
    assert torch.equal(dictionary.threshold, trainer.threshold)
