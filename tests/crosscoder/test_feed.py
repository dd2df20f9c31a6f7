from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross._stacks._rows import Rows
from sklearn_groupcross.crosscoder import _feed
from sklearn_groupcross.crosscoder._batches import Batch
from sklearn_groupcross.crosscoder._feed import Feed, translate
from sklearn_groupcross.crosscoder._parameters import Units
from sklearn_groupcross.testing import elements, groups, orbit_stacks

from .small_fits import LARGER_GROUP, compressing, larger_orbits


@pytest.fixture(scope="module")
def orbits():
    return larger_orbits()


@pytest.mark.parametrize("augment", [False, True])
def test_coordinates_of_each_batch_are_those_that_are_kept(orbits, augment, monkeypatch):
    kept = compressing(augment=augment, max_epochs=3).fit(orbits)
    monkeypatch.setattr(_feed, "_BYTES_KEPT", 0)
    computed = compressing(augment=augment, max_epochs=3).fit(orbits)
    scale = np.abs(kept.components_).max()
    np.testing.assert_allclose(computed.components_, kept.components_, atol=1e-3 * scale)


@pytest.mark.parametrize("encoder_input", ["identity", "orbit"])
@pytest.mark.parametrize("compression", [None, 0.9])
def test_what_is_kept_on_a_gpu_is_what_is_read(orbits, compression, encoder_input, monkeypatch):
    """On the CPU, which is told that it is a GPU with room for all, or for the stacks alone."""
    options = {"augment": True, "max_epochs": 3, "encoder_input": encoder_input}
    read = compressing(**options, compression=compression).fit(orbits)
    scale = np.abs(read.components_).max()
    for room in (1 << 40, orbits.size):
        monkeypatch.setattr(_feed, "_fits_on", lambda device, n, room=room: n <= room)
        kept = compressing(**options, compression=compression).fit(orbits)
        np.testing.assert_allclose(kept.components_, read.components_, atol=1e-3 * scale)


def test_rows_that_stand_for_all_are_drawn_from_the_seed(orbits, monkeypatch):
    monkeypatch.setattr(_feed, "_ROWS_FOR_BASIS", 100)
    first, second, other = (
        compressing(max_epochs=1, random_state=seed).fit(orbits) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.components_, second.components_)
    assert first.kept_variance_ == second.kept_variance_ != other.kept_variance_


@given(groups(max_order=24), st.data())
def test_translations_of_orbits_are_a_right_action(group, data):
    first, second = data.draw(elements(group)), data.draw(elements(group))
    stack = data.draw(orbit_stacks(group))
    flat = torch.from_numpy(stack.reshape(len(stack), -1))
    moved = translate(flat, group, first).reshape(stack.shape)
    for g in range(group.order):
        np.testing.assert_array_equal(moved[:, g], stack[:, group.multiply(g, first)])
    # R_a R_b = R_ab
    twice = translate(translate(flat, group, second), group, first)
    assert torch.equal(twice, translate(flat, group, group.multiply(first, second)))


@pytest.mark.parametrize("n_in_use", [1, 2])
@pytest.mark.parametrize("translation", [0, 3])
def test_samples_stay_while_they_are_in_use(orbits, n_in_use, translation):
    rows = Rows(orbits.reshape(len(orbits), -1))
    units = Units(torch.zeros(1, 12), 1.0)
    feed = Feed(rows, units, LARGER_GROUP, torch.device("cpu"), reads_orbit=False)
    batches = [Batch(np.arange(20 * i, 20 * i + 20), translation) for i in range(6)]
    blocks = torch.tensor(orbits[:, LARGER_GROUP.right_translation(translation)])
    before = []
    for number, samples in enumerate(feed.samples(batches, n_in_use=n_in_use)):
        before.append(samples)
        for i in range(max(0, number + 1 - n_in_use), number + 1):
            expected = blocks[20 * i : 20 * i + 20].flatten(1)
            assert torch.equal(before[i].targets, expected)
            assert torch.equal(before[i].inputs, expected[:, :12])
