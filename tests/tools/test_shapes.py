import math

import pytest
import torch

from sklearn_groupcross.networks.bundled import SHAPE_PERIODS
from tools.shapes import SHAPES, add_surround, draw_shapes

SIZE = 41  # odd: the image centre is a pixel, so quarter turns move pixels onto pixels


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _clean(kind, angles, seed=0):
    """The same shapes, centred on flat ground, at the angles given."""
    return draw_shapes(
        len(angles), SIZE, _generator(seed), kinds=[kind], angles=angles, jitter=0.0, clean=True
    ).images


def _difference(a, b):
    """Largest over the images of the mean absolute difference."""
    return (a - b).abs().mean((1, 2, 3)).max().item()


def test_one_seed_draws_one_batch():
    first, again, other = (draw_shapes(20, 33, _generator(s)) for s in (3, 3, 4))
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.images, other.images)


def test_global_generator_is_left_alone():
    before = torch.get_rng_state()
    generator = _generator()
    add_surround(draw_shapes(8, 33, generator), generator)
    assert torch.equal(before, torch.get_rng_state())


def test_shapes_types_and_range():
    generator = _generator()
    lone = draw_shapes(64, 33, generator)
    for batch in (lone, add_surround(lone, generator)):
        assert batch.images.shape == (64, 3, 33, 33)
        assert batch.images.dtype == torch.float32
        assert batch.kinds.dtype == torch.int64
        assert batch.angles.shape == (64,)
        assert batch.images.min() >= 0
        assert batch.images.max() <= 1
        assert set(batch.kinds.tolist()) == set(range(len(SHAPES)))
        assert ((batch.angles >= 0) & (batch.angles < 2 * math.pi)).all()
        assert ((batch.centers - 16).abs() <= 6).all()


def test_only_the_kinds_asked_for():
    batch = draw_shapes(40, 17, _generator(), kinds=["ring", "edge"])
    assert {SHAPES[label] for label in batch.kinds.tolist()} == {"ring", "edge"}


@pytest.mark.parametrize("kinds", [["circle"], []])
def test_unknown_kind_is_an_error(kinds):
    with pytest.raises(ValueError, match="choose one or more of line"):
        draw_shapes(2, 17, _generator(), kinds=kinds)


@pytest.mark.parametrize("kind", SHAPES)
def test_figure_is_visible(kind):
    images = _clean(kind, torch.zeros(50))
    assert (images.amax((2, 3)) - images.amin((2, 3))).amax(1).min() > 0.05


@pytest.mark.parametrize("kind", [kind for kind in SHAPES if kind != "edge"])
def test_figure_is_lighter_or_darker_than_ground(kind):
    # the mean over many draws hides neither sign
    images = _clean(kind, torch.zeros(60)).mean(1)
    darker_extreme = (images.amax((1, 2)) - images.mean((1, 2))) < (
        images.mean((1, 2)) - images.amin((1, 2))
    )
    assert 0.2 < darker_extreme.float().mean() < 0.8


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_adding_to_the_angle_turns_the_image_counter_clockwise(kind, quarters):
    angles = 2 * math.pi * torch.rand(20, generator=_generator(1))
    turned = _clean(kind, angles + quarters * math.pi / 2)
    assert _difference(turned, torch.rot90(_clean(kind, angles), quarters, (-2, -1))) < 1e-3
    if SHAPE_PERIODS[kind] == 2 * math.pi:  # the other sense of rotation must fail
        wrong = torch.rot90(_clean(kind, angles), quarters + 2, (-2, -1))
        assert _difference(turned, wrong) > 0.02


@pytest.mark.parametrize("kind", [kind for kind in SHAPES if SHAPE_PERIODS[kind]])
def test_period_is_a_symmetry_and_half_of_it_is_not(kind):
    angles = 2 * math.pi * torch.rand(20, generator=_generator(1))
    images = _clean(kind, angles)
    assert _difference(images, _clean(kind, angles + SHAPE_PERIODS[kind])) < 1e-3
    assert _difference(images, _clean(kind, angles + SHAPE_PERIODS[kind] / 2)) > 0.02


def test_ring_is_the_same_at_every_angle():
    angles = 2 * math.pi * torch.rand(20, generator=_generator(1))
    assert _difference(_clean("ring", angles), _clean("ring", angles * 0)) < 1e-5


def test_line_runs_along_its_angle_with_y_up():
    image = _clean("line", torch.tensor([math.pi / 4]))[0]
    contrast = (image - image[:, :1, :1]).abs().sum(0)
    half = SIZE // 2
    assert contrast[half - 8, half + 8] > 0.1  # up and to the right
    assert contrast[half + 8, half + 8] < 1e-6


def test_edge_is_lighter_on_the_side_of_its_angle():
    luma = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    right = (_clean("edge", torch.zeros(30)) * luma).sum(1)
    up = (_clean("edge", torch.full((30,), math.pi / 2)) * luma).sum(1)
    assert (right[:, :, -1].mean(1) > right[:, :, 0].mean(1)).all()
    assert (up[:, 0].mean(1) > up[:, -1].mean(1)).all()


def test_centers_say_where_the_shape_is():
    batch = draw_shapes(30, 49, _generator(), kinds=["ring"], clean=True)
    ground = batch.images[:, :, :1, :1]
    mass = (batch.images - ground).abs().sum(1)
    grid = torch.arange(49.0)
    total = mass.sum((1, 2))
    rows = (mass.sum(2) * grid).sum(1) / total
    columns = (mass.sum(1) * grid).sum(1) / total
    assert (torch.stack([rows, columns], 1) - batch.centers).abs().max() < 0.5


def test_surround_keeps_the_middle_and_changes_the_rest():
    generator = _generator()
    batch = draw_shapes(16, 49, generator, jitter=0.0)
    crowd = add_surround(batch, generator, radius=(16.0, 16.0))
    middle = (slice(None), slice(None), slice(17, 32), slice(17, 32))
    assert torch.equal(crowd.images[middle], batch.images[middle])
    assert _difference(crowd.images[..., :4, :4], batch.images[..., :4, :4]) > 0.02
    assert torch.equal(crowd.kinds, batch.kinds)
