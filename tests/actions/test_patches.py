"""`ImageAction.transform_about`, interpolation, masks and source sizes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.actions import (
    ImageAction,
    PositionedAction,
    check_action,
    circular_mask,
    required_source_size,
)
from sklearn_groupcross.groups import Cyclic, Dihedral, Trivial
from tests.actions.images import random_images, smooth_images
from tests.groups.strategies import PLANAR_GROUPS


def averaged(images, elements):
    """Images that a subgroup of the square's symmetries fixes."""
    views = ImageAction(Dihedral(4)).transform(images)
    return views[:, elements].mean(1)


offsets = st.floats(-6, 6)
LATTICE = {  # subgroups of Dihedral(4), and an element of each
    "half turn": ([0, 2], 2),
    "quarter turn": ([0, 1, 2, 3], 1),
    "mirror": ([0, 4], 4),
    "diagonal mirror": ([0, 5], 5),
}


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("symmetry", LATTICE)
@pytest.mark.parametrize("side", [80, 81])
def test_orbits_of_a_symmetric_image_are_right_translates(interpolation, symmetry, side):
    """If h fixes x, the patches of (h·p, g) and (p, gh) are the same, to rounding."""
    subgroup, h4 = LATTICE[symmetry]
    images = averaged(random_images(1, 3, side, side), subgroup)
    group = Dihedral(16)
    h = h4 * 4 if h4 < 4 else 16 + (h4 - 4) * 4
    action = ImageAction(group, interpolation=interpolation)
    position = torch.tensor([[9.37, -4.81]])
    moved = action.transform_positions(position)[:, h]
    at = (2.3, -1.1)
    there = action.transform_about(images, moved, 21, at=at)
    here = action.transform_about(images, position, 21, at=at)
    permutation = torch.from_numpy(group.right_translation(h).copy())
    assert (there - here[:, permutation]).abs().max() < 2e-5
    wrong = torch.from_numpy(group.cayley_table[h].copy())
    if not torch.equal(wrong, permutation):
        assert (there - here[:, wrong]).abs().max() > 0.1


@given(PLANAR_GROUPS, offsets, offsets, st.floats(-3, 3), st.floats(-3, 3))
def test_the_position_lands_at_the_pivot(group, column, row, at_column, at_row):
    """A bump at p is found at `at` in the patch of every element."""
    u = torch.arange(81, dtype=torch.float64) - 40
    bump = torch.exp(-((u[None, :] - column) ** 2 + (u[:, None] - row) ** 2) / 20)[None, None]
    position = torch.tensor([[column, row]], dtype=torch.float64)
    at = (at_column, at_row)
    action = ImageAction(group, interpolation="bilinear")  # keeps centres of mass, cubics do not
    patches = action.transform_about(bump, position, 51, at=at)[0, :, 0]
    v = torch.arange(51, dtype=torch.float64) - 25
    weights = patches / patches.sum((-2, -1), keepdim=True)
    found = torch.stack([(weights.sum(-2) * v).sum(-1), (weights.sum(-1) * v).sum(-1)], dim=-1)
    expected = torch.tensor([at], dtype=torch.float64).expand_as(found)
    torch.testing.assert_close(found, expected, atol=0.005, rtol=0)


def test_a_pivot_only_shifts_the_window():
    """The patch about `at` is that about the centre, moved by `at`."""
    images, position = random_images(1, 2, 90, 90), torch.tensor([[5.2, -7.9]])
    action = ImageAction(Dihedral(8))
    wide = action.transform_about(images, position, 31)
    shifted = action.transform_about(images, position, 21, at=(2.0, -3.0))
    torch.testing.assert_close(shifted, wide[..., 8:29, 3:24], atol=1e-5, rtol=0)


def test_a_mask_is_centered_on_the_pivot():
    """So every element sees the same part of the image, whatever its pivot."""
    action = ImageAction(Cyclic(12), mask=True, fill=0.25)
    images = random_images(1, 1, 90, 90)
    position = torch.tensor([[3.0, 1.0]])
    at = (4.0, -2.0)
    patches = action.transform_about(images, position, 31, at=at)
    mask = circular_mask(31, center=at)
    assert (patches[..., mask == 0] == 0.25).all()
    inside = mask == 1
    plain = ImageAction(Cyclic(12)).transform_about(images, position, 31, at=at)
    assert torch.equal(patches[..., inside], plain[..., inside])
    assert mask[13, 19] == 1  # (column, row) = (4, -2) from the centre 15
    assert mask[:, 30].max() > 0  # it reaches the nearer border
    assert mask[:, :7].max() == 0


def test_mask_radius_and_softness_reach_the_mask():
    action = ImageAction(Dihedral(8), mask=True, fill=0.0, mask_radius=12, mask_softness=5)
    views = action.transform(torch.ones(1, 1, 40, 40))
    expected = circular_mask(40, 12, 5).expand_as(views)
    torch.testing.assert_close(views, expected, atol=1e-6, rtol=0)


def test_a_mask_that_reaches_into_the_corners_needs_a_larger_source():
    action = ImageAction(Dihedral(8), mask=True, mask_radius=24)
    assert action.source_size(40) == 48
    ones = torch.nn.functional.pad(torch.ones(1, 1, 48, 48), (9, 9, 9, 9))  # what lies beyond: 0
    action.fill = 1.0
    assert action.transform(ones, 40).min() > 0.999
    with pytest.raises(ValueError, match="at least 48 x 48 px, or a smaller mask_radius"):
        action.transform(torch.ones(1, 1, 46, 46), 40)
    whole = ImageAction(Dihedral(8), mask=True, mask_radius=1000)
    assert whole.source_size(40) == required_source_size(40)


@pytest.mark.parametrize(
    ("group", "mask", "expected"),
    [
        (Trivial(), False, 40),
        (Cyclic(4), False, 40),
        (Dihedral(2), False, 40),
        (Dihedral(3), False, required_source_size(40)),
        (Dihedral(8), False, required_source_size(40)),
        (Dihedral(8), True, 40),
    ],
    ids=repr,
)
def test_source_size_is_what_transform_needs(group, mask, expected):
    action = ImageAction(group, mask=mask)
    assert isinstance(action, PositionedAction)
    assert action.source_size(40) == expected
    views = action.transform(torch.ones(1, 1, expected, expected), 40)
    assert views.shape == (1, group.order, 1, 40, 40)
    with pytest.raises(ValueError, match="corners|smaller"):
        action.transform(torch.ones(1, 1, expected - 1, expected - 1), 40)


def test_bilinear_blurs_more():
    """Turned forth and back by 45°, a photograph's detail survives bicubic turns better."""
    images = smooth_images(141) + 0.2 * random_images(1, 3, 141, 141)
    errors = {}
    for interpolation in ("bilinear", "bicubic"):
        action = ImageAction(Cyclic(8), interpolation=interpolation)
        there = action.transform(images, 91)[:, 1]
        back = action.transform(there, 41)[:, 7]
        errors[interpolation] = (back - images[..., 50:91, 50:91]).abs().mean()
    assert errors["bicubic"] < 0.8 * errors["bilinear"]


def test_lattice_turns_pass_the_check_of_actions():
    check_action(ImageAction(Dihedral(4)), random_images(1, 2, 9, 9), tolerance=0.0)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="'bicubic' or 'bilinear'; got 'nearest'"):
        ImageAction(Cyclic(4), interpolation="nearest")
    with pytest.raises(ValueError, match="positive numbers of pixels; got -1 and 2.0"):
        ImageAction(Cyclic(4), mask_radius=-1)
    with pytest.raises(ValueError, match="positive numbers of pixels; got None and 0"):
        ImageAction(Cyclic(4), mask_softness=0)
    with pytest.raises(ValueError, match=r"a tensor \(2, 2\); got \(1, 2\)"):
        ImageAction(Cyclic(4)).transform_about(torch.rand(2, 3, 9, 9), torch.zeros(1, 2), 5)
