from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.crosscoder import _feed
from sklearn_groupcross.crosscoder._feed import translate
from sklearn_groupcross.testing import elements, groups, orbit_stacks

from .small_fits import compressing, larger_orbits


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
