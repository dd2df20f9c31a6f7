"""A dictionary while it is trained does what it will do afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross._stacks._rows import Rows
from sklearn_groupcross.crosscoder._batches import Batch

GROUP = Dihedral(3)
CASES = [
    {},
    {"activation": "topk", "k": 3},
    {"activation": "jumprelu", "encoder_input": "orbit"},
    {"compression": 0.8},
    {"compression": 0.8, "encoder_input": "orbit", "augment": True},
]


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(200, group=GROUP, n_channels=8, random_state=0).orbits


@pytest.fixture(params=CASES, ids=str)
def crosscoder(request, orbits):
    """Trained for a while; its trainer is kept."""
    crosscoder = GroupCrosscoder(GROUP, 12, batch_size=20, l1=0.05, random_state=0, **request.param)
    for _ in range(10):
        crosscoder.partial_fit(orbits)
    return crosscoder


def all_samples(trainer, orbits):
    rows = np.arange(len(orbits))
    (samples,) = trainer.feed(Rows(orbits.reshape(len(orbits), -1))).samples([Batch(rows, 0)])
    return samples


def test_its_error_is_what_the_score_leaves_over(crosscoder, orbits):
    """In units of the variance, what compression loses included."""
    trainer = crosscoder._trainer
    squared_error, _ = trainer.evaluate(all_samples(trainer, orbits))
    unexplained = 1 - crosscoder.score(orbits)
    assert squared_error / trainer.variance == pytest.approx(unexplained, rel=1e-3)


def test_its_price_is_that_of_the_codes(crosscoder, orbits):
    trainer = crosscoder._trainer
    _, price = trainer.evaluate(all_samples(trainer, orbits))
    codes = crosscoder.transform(orbits)
    if crosscoder.activation == "topk":
        expected = 0.0
    elif crosscoder.activation == "jumprelu":
        expected = (crosscoder.l1 / 2) ** 2 * (codes > 0).sum(axis=1).mean()
    else:  # atoms in the units of training
        norms = crosscoder.scale_ * np.linalg.norm(crosscoder.components_, axis=1) / 48**0.5
        expected = crosscoder.l1 * (codes @ norms).mean()
    assert price == pytest.approx(expected, rel=1e-3)


def test_what_it_has_learned_is_what_the_estimator_has(crosscoder):
    learned = crosscoder._trainer.learned()
    np.testing.assert_array_equal(learned.decoder.numpy(), crosscoder.components_)
    np.testing.assert_array_equal(learned.encoder.numpy(), crosscoder.encoder_)
    np.testing.assert_array_equal(learned.flat_bias().numpy(), crosscoder.intercept_)


def test_the_encoder_reads_the_same_part_of_inputs_and_of_targets(crosscoder, orbits):
    trainer = crosscoder._trainer
    samples = all_samples(trainer, orbits)
    read = trainer.read_part(samples.targets)
    assert read.shape == samples.inputs.shape
    if crosscoder.encoder_input == "orbit" or crosscoder.compression is None:
        torch.testing.assert_close(read, samples.inputs)
