from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.actions import (
    ImageAction,
    center_crop,
    circular_mask,
)
from sklearn_groupcross.groups import Cyclic, Dihedral, FiniteGroup, Trivial
from tests.actions.images import random_images, smooth_images
from tests.groups.strategies import PLANAR_GROUPS


@pytest.mark.parametrize("group", [Dihedral(4), Dihedral(8), Dihedral(16)], ids=repr)
@pytest.mark.parametrize(("source", "size"), [(64, 40), (65, 40), (64, 41)])
@pytest.mark.parametrize("mask", [False, True])
def test_the_symmetries_of_the_square_are_exact_bit_for_bit(group, source, size, mask):
    images = random_images(2, 3, source, source)
    action = ImageAction(group, mask=mask)
    transformed = action.transform(images, size)
    upright = transformed[:, 0]
    quarter = group.n_turns // 4
    for turns in range(4):
        turned = torch.rot90(upright, turns, (-2, -1))
        assert torch.equal(transformed[:, turns * quarter], turned)
        flipped = torch.rot90(upright.flip(-1), turns, (-2, -1))
        assert torch.equal(transformed[:, group.n_turns + turns * quarter], flipped)


def test_the_identity_is_the_center_of_the_source():
    images = random_images(1, 3, 60, 80)
    transformed = ImageAction(Dihedral(6)).transform(images, 40)
    assert torch.equal(transformed[:, 0], center_crop(images, 40))


@given(PLANAR_GROUPS.filter(lambda g: g.order > 1), st.data())
def test_it_is_a_left_action(group, data):
    """(gh)·x = g·(h·x), up to interpolation; on the wrong side it would be far off."""
    g, h = (data.draw(st.integers(0, group.order - 1)) for _ in range(2))
    action = ImageAction(group)
    images = smooth_images(121, seed=data.draw(st.integers(0, 5)))
    once = action.transform(images, 31)[:, group.multiply(g, h)]
    twice = action.transform(action.transform(images, 81)[:, h], 31)[:, g]
    # linear interpolation is off by an eighth of the second differences, in either direction, and
    # cubic by a little more: there is one on the left and two on the right
    second_differences = sum(images.diff(n=2, dim=axis).abs().max() for axis in (-2, -1))
    assert (once - twice).abs().max() < second_differences / 2


def test_the_wrong_order_of_a_product_is_noticed():
    group = Dihedral(8)
    action = ImageAction(group)
    images = smooth_images(121)
    g, h = 1, 9  # a turn and a mirrored turn do not commute
    wrong = action.transform(images, 31)[:, group.multiply(h, g)]
    twice = action.transform(action.transform(images, 81)[:, h], 31)[:, g]
    assert (wrong - twice).abs().max() > 0.1


@given(PLANAR_GROUPS, st.floats(-20, 20), st.floats(-20, 20))
def test_positions_follow_the_picture(group, column, row):
    """A bump at p is found at g·p in g·x."""
    size, source = 101, 201
    u = torch.arange(source) - (source - 1) / 2
    bump = torch.exp(-((u[None, :] - column) ** 2 + (u[:, None] - row) ** 2) / 20)[None, None]
    action = ImageAction(group)
    transformed = action.transform(bump, size)[0, :, 0]
    position = torch.tensor([column, row], dtype=torch.float64)
    v = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = transformed.double() / transformed.double().sum((-2, -1), keepdim=True)
    found = torch.stack([(weights.sum(-2) * v).sum(-1), (weights.sum(-1) * v).sum(-1)], dim=-1)
    torch.testing.assert_close(found, action.transform_positions(position), atol=0.02, rtol=0)


@given(PLANAR_GROUPS, st.data())
def test_positions_are_a_left_action(group, data):
    g, h = (data.draw(st.integers(0, group.order - 1)) for _ in range(2))
    action = ImageAction(group)
    positions = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    by_steps = action.transform_positions(action.transform_positions(positions)[:, h])[:, g]
    at_once = action.transform_positions(positions)[:, group.multiply(g, h)]
    torch.testing.assert_close(by_steps, at_once)


def test_quarter_turn_of_a_position_is_counter_clockwise_with_rows_down():
    moved = ImageAction(Cyclic(4)).transform_positions(torch.tensor([10.0, 0.0]))
    torch.testing.assert_close(moved[1], torch.tensor([0.0, -10.0]))


def test_patches_about_a_position_are_those_of_the_transformed_image():
    group = Dihedral(8)
    action = ImageAction(group)
    images = smooth_images(161)
    position = torch.tensor([[7.0, -4.0]])
    patches = action.transform_about(images, position, 15)[0]
    whole = action.transform(images, 101)[0]
    for g in range(group.order):
        column, row = action.transform_positions(position)[0, g]
        v = torch.arange(15) - 7
        grid = torch.stack(
            torch.meshgrid(2 * (v + column) / 101, 2 * (v + row) / 101, indexing="xy"), -1
        )
        expected = torch.nn.functional.grid_sample(
            whole[g : g + 1], grid[None], align_corners=False
        )
        assert (patches[g] - expected[0]).abs().max() < 0.01


def test_a_mask_makes_a_small_source_do():
    transformed = ImageAction(Dihedral(16), mask=True, fill=0.25).transform(
        torch.ones(1, 1, 40, 40)
    )
    assert (transformed[..., 0, 0] == 0.25).all()
    mask = circular_mask(40)
    torch.testing.assert_close(
        transformed, (0.25 + 0.75 * mask).expand_as(transformed), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("group", [Trivial(), Cyclic(5), Dihedral(3)], ids=repr)
def test_shapes_and_dtypes(group):
    images = random_images(2, 3, 60, 60).double()
    transformed = ImageAction(group).transform(images, 30)
    assert transformed.shape == (2, group.order, 3, 30, 30)
    assert transformed.dtype == torch.float64


def test_it_runs_where_the_images_are():
    """The meta device has no data: any tensor left on the CPU would raise."""
    images = torch.empty(2, 3, 64, 64, device="meta")
    assert ImageAction(Dihedral(8), mask=True).transform(images, 40).device.type == "meta"
    patches = ImageAction(Dihedral(8)).transform_about(images, torch.zeros(2, 2, device="meta"), 9)
    assert patches.device.type == "meta"


def test_bad_input_is_refused():
    with pytest.raises(TypeError, match="Trivial, Cyclic and Dihedral"):
        ImageAction(FiniteGroup([[0, 1], [1, 0]]))
    action = ImageAction(Dihedral(4))
    with pytest.raises(ValueError, match="floating-point tensor"):
        action.transform(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match="smaller than the 9 px"):
        action.transform(torch.zeros(1, 3, 8, 8), 9)
