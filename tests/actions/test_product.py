from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.actions import (
    HueAction,
    ImageAction,
    ImageProductAction,
    LinearAction,
    PermutationAction,
    PointCloudAction,
    PositionedAction,
    SetAction,
    TimeShiftAction,
    check_action,
    product_action,
)
from sklearn_groupcross.groups import Cyclic, Dihedral, Symmetric
from tests.actions.images import random_images


def test_element_i_j_does_both():
    turns, swaps = PointCloudAction("tetrahedral"), SetAction(Symmetric(3))
    action = turns * swaps
    assert action.group == turns.group * swaps.group
    clouds = torch.randn(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    transformed = action.transform(clouds)
    for i in (0, 5):
        for j in (0, 1, 4):
            expected = swaps.transform(turns.transform(clouds)[:, i])[:, j]
            torch.testing.assert_close(transformed[:, i * 6 + j], expected)
    check_action(action, clouds[:1], tolerance=1e-10)


def test_the_other_order_is_another_group_with_the_same_elements():
    turns, swaps = PointCloudAction("tetrahedral"), SetAction(Symmetric(3))
    clouds = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0))
    one = (turns * swaps).transform(clouds).unflatten(1, (12, 6))
    other = (swaps * turns).transform(clouds).unflatten(1, (6, 12))
    torch.testing.assert_close(one, other.transpose(1, 2))


def test_actions_that_do_not_commute_are_refused():
    cube = PointCloudAction("octahedral")
    with pytest.raises(ValueError, match=r"do not commute.*for i = \d+, j = \d+"):
        cube * PointCloudAction("tetrahedral")
    shifts = TimeShiftAction(Cyclic(4))
    reversal = PermutationAction(Cyclic(2), [np.arange(8), np.arange(8)[::-1]])
    with pytest.raises(ValueError, match="do not commute"):
        shifts * reversal
    halves = PermutationAction(Cyclic(2), [np.arange(8), (np.arange(8) + 4) % 8])
    check_action(shifts * halves, torch.randn(2, 8), tolerance=0.0)


class Negation:
    group = Cyclic(2)

    def transform(self, inputs):
        return torch.stack([inputs, -inputs], dim=1)


def test_actions_of_users_bring_an_example():
    shifts = TimeShiftAction(Cyclic(4))
    with pytest.raises(ValueError, match=r"example=inputs"):
        shifts * Negation()
    action = product_action(shifts, Negation(), example=torch.randn(2, 8))
    check_action(action, torch.randn(2, 8), tolerance=0.0)
    with pytest.raises(TypeError, match="unsupported operand"):
        shifts * 3
    with pytest.raises(TypeError, match="a group and a method transform"):
        product_action(shifts, 3)


def test_axes_counted_from_both_ends_need_an_example():
    square = LinearAction(Cyclic(2), [np.eye(2), -np.eye(2)], axis=1)
    with pytest.raises(ValueError, match="from both ends"):
        square * TimeShiftAction(Cyclic(2), axis=-1)
    assert (square * TimeShiftAction(Cyclic(2), axis=2)).group.order == 4


@given(st.sampled_from([Dihedral(4), Dihedral(3), Cyclic(5)]), st.booleans(), st.data())
def test_turned_and_recolored_images(group, turns_first, data):
    """``(i, j)·x = i·(j·x)``, whichever comes first in the product."""
    turns, hues = ImageAction(group), HueAction(4)
    action = turns * hues if turns_first else hues * turns
    images = random_images(2, 3, 30, 30)
    transformed = action.transform(images, 17)
    i, j = data.draw(st.integers(0, group.order - 1)), data.draw(st.integers(0, 3))
    index = i * 4 + j if turns_first else j * group.order + i
    expected = hues.transform(turns.transform(images, 17)[:, i])[:, j]
    torch.testing.assert_close(transformed[:, index], expected)


def test_the_product_of_lattice_turns_and_hues_keeps_the_law():
    action = ImageAction(Dihedral(4)) * HueAction(3)
    assert isinstance(action, ImageProductAction)
    assert isinstance(action, PositionedAction)
    check_action(action, random_images(1, 3, 8, 8), tolerance=0.0)


@pytest.mark.parametrize("turns_first", [True, False])
def test_positions_and_patches_follow(turns_first):
    turns, hues = ImageAction(Dihedral(3)), HueAction(4)
    action = turns * hues if turns_first else hues * turns
    positions = torch.tensor([[3.0, -2.0], [1.5, 4.0]])
    moved = action.transform_positions(positions)
    assert moved.shape == (2, 24, 2)
    images = random_images(2, 3, 50, 50)
    every = action.transform_about(images, positions, 9, at=(1.0, 0.5))
    for i in range(6):
        for j in range(4):
            index = i * 4 + j if turns_first else j * 6 + i
            assert torch.equal(moved[:, index], turns.transform_positions(positions)[:, i])
            patch = turns.transform_about(images, positions, 9, [i], at=(1.0, 0.5))[:, 0]
            torch.testing.assert_close(every[:, index], hues.transform(patch)[:, j])
    some = [7, 2, 7, 23]
    chosen = action.transform_about(images, positions, 9, some, at=(1.0, 0.5))
    torch.testing.assert_close(chosen, every[:, some])
    assert action.source_size(33) == turns.source_size(33)


def test_products_of_three():
    colors = LinearAction(Cyclic(2), [np.eye(3), -np.eye(3)], axis=1)
    with pytest.raises(ValueError, match="example=inputs"):
        ImageAction(Cyclic(4)) * HueAction(3) * colors
    action = product_action(
        ImageAction(Cyclic(4)) * HueAction(3), colors, example=random_images(2, 3, 8, 8)
    )
    check_action(action, random_images(1, 3, 8, 8), tolerance=1e-6)


def test_two_actions_that_move_positions_are_refused():
    with pytest.raises(ValueError, match="both move positions"):
        ImageAction(Cyclic(4)) * ImageAction(Cyclic(3))


class RightHalfHue(HueAction):
    """Recolors the right half alone, which turns do not leave in place."""

    def transform(self, inputs, size=None):
        turned = super().transform(inputs, size)
        half = turned.shape[-1] // 2
        turned[..., :half] = turned[:, :1, ..., :half]
        return turned


def test_images_that_do_not_commute_are_refused():
    with pytest.raises(ValueError, match="do not commute"):
        ImageAction(Dihedral(4)) * RightHalfHue(3)


def test_they_are_pickled_and_copied():
    """Data loaders send them to other processes."""
    images = random_images(1, 3, 8, 8)
    action = ImageAction(Dihedral(4)) * HueAction(3)
    for again in (pickle.loads(pickle.dumps(action)), copy.deepcopy(action)):
        assert type(again) is ImageProductAction
        assert again.group == action.group
        assert torch.equal(again.transform(images), action.transform(images))
