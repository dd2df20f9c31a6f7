from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_sample_images

from sklearn_groupcross.actions import HueAction, PositionedAction, center_crop, check_action
from sklearn_groupcross.groups import Cyclic, Dihedral
from tests.actions.images import random_images


@given(st.integers(1, 24))
def test_hues_turn_as_the_cyclic_group_does(n):
    check_action(HueAction(n), random_images(2, 3, 4, 5), tolerance=1e-6)


@given(st.integers(1, 8))
def test_a_third_of_a_turn_swaps_the_channels_exactly(multiple):
    images = random_images(2, 3, 4, 5)
    turned = HueAction(Cyclic(3 * multiple)).transform(images)
    assert torch.equal(turned[:, multiple], images.roll(1, 1))  # red becomes green
    assert torch.equal(turned[:, 2 * multiple], images.roll(2, 1))
    assert torch.equal(turned[:, 0], images)


@given(st.integers(1, 24))
def test_grays_and_sums_stay_and_lengths_too(n):
    images = random_images(2, 3, 4, 5).double()
    turned = HueAction(n).transform(images)
    original = images[:, None].expand_as(turned)
    torch.testing.assert_close(turned.sum(2), original.sum(2))
    torch.testing.assert_close(turned.norm(dim=2), original.norm(dim=2))
    grays = images[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(HueAction(n).transform(grays), grays[:, None].expand_as(turned))


def test_a_sixth_of_a_turn_of_red_points_to_yellow():
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    r, g, b = HueAction(6).transform(red)[0, 1, :, 0, 0].tolist()
    assert r == pytest.approx(2 / 3)
    assert g == pytest.approx(2 / 3)
    assert b == pytest.approx(-1 / 3)  # not clipped


def test_clipping_would_break_the_law():
    class Clipped(HueAction):
        def transform(self, inputs, size=None):
            return super().transform(inputs, size).clamp(0, 1)

    with pytest.raises(ValueError, match="not a left action"):
        check_action(Clipped(6), random_images(2, 3, 4, 5))


def test_how_often_photographs_leave_the_unit_interval():
    """The figures in the docstring."""
    photographs = torch.stack([torch.from_numpy(x.copy()) for x in load_sample_images().images])
    turned = HueAction(6).transform(photographs.permute(0, 3, 1, 2) / 255)
    outside = (turned < -1e-6) | (turned > 1 + 1e-6)
    assert outside.float().mean().item() == pytest.approx(0.007, abs=0.0005)
    assert max(-turned.min(), turned.max() - 1) == pytest.approx(0.26, abs=0.005)


@pytest.mark.parametrize("size", [6, 7])
def test_crops_and_patches_hold_the_same_pixels(size):
    images = random_images(2, 3, 11, 11)
    action = HueAction(4)
    assert isinstance(action, PositionedAction)
    assert action.source_size(size) == size
    cropped = action.transform(images, size)
    upright = center_crop(images[..., : 11 - (11 - size) % 2, : 11 - (11 - size) % 2], size)
    assert torch.equal(cropped[:, 0], upright)
    # an even crop of odd images is half a pixel off their centre
    shift = ((11 - size) % 2) / 2
    positions = torch.full((2, 2), -shift)
    patches = action.transform_about(images, positions, size)
    torch.testing.assert_close(patches, cropped, atol=1e-5, rtol=0)
    some = action.transform_about(images, positions + 1, size, [3, 1], at=(1.0, 1.0))
    torch.testing.assert_close(some, cropped[:, [3, 1]], atol=1e-5, rtol=0)
    moved = action.transform_positions(positions)
    assert torch.equal(moved, positions[:, None].expand(2, 4, 2))


def test_bad_input_is_refused():
    with pytest.raises(TypeError, match=r"Cyclic\(n\) or a whole number"):
        HueAction(Dihedral(3))
    with pytest.raises(ValueError, match="3 channels; got 4"):
        HueAction(3).transform(torch.zeros(1, 4, 5, 5))
    with pytest.raises(ValueError, match="floating-point tensor"):
        HueAction(3).transform(torch.zeros(1, 3, 5, 5, dtype=torch.uint8))
    with pytest.raises(ValueError, match="smaller than the 6 px"):
        HueAction(3).transform(torch.zeros(1, 3, 5, 5), 6)
