from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic, Dihedral, receptive_field
from sklearn_groupcross.actions import ImageAction
from sklearn_groupcross.orbits import Arc, Corner, Disk, Edge, draw_probe, probe_orbits
from tests.tolerances import assert_near

SHAPES = [Edge(), Corner(50), Corner(120), Arc(6, 3), Arc(15, 4), Disk(7)]


@given(st.sampled_from(SHAPES), st.sampled_from([Dihedral(4), Dihedral(8), Cyclic(12)]))
def test_turns_of_the_square_rearrange_pixels(shape, group):
    images = draw_probe(shape, group, 33)
    for element in np.flatnonzero(4 * group.turns % group.n_turns == 0):
        upright = images[0].flip(-1) if group.mirrored[element] else images[0]
        quarter_turns = 4 * int(group.turns[element]) // group.n_turns
        torch.testing.assert_close(images[element], torch.rot90(upright, quarter_turns, (-2, -1)))


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_turns_off_the_lattice_are_those_of_images(shape):
    group, size = Dihedral(8), 41
    drawn = draw_probe(shape, group, size)
    turned = ImageAction(group).transform(draw_probe(shape, Cyclic(1), 61), size)[0]
    # a turned picture is blurred at its borders, nothing else
    assert (drawn - turned).abs().mean() < 0.005
    wrong = turned[group.inverses.tolist()]
    assert (drawn - wrong)[[1, 3, 5]].abs().mean() > 0.02


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_shapes_have_one_mirror_and_no_half_turn(shape):
    images = draw_probe(shape, Dihedral(2), 41)
    half, mirror = 1, 2
    assert (images[half] - images[0]).abs().mean() > 0.02
    torch.testing.assert_close(images[mirror], images[0])


@pytest.mark.parametrize(("shape", "area"), [(Edge(), 0.5), (Corner(90), 0.25)], ids=repr)
def test_areas(shape, area):
    coverage = draw_probe(shape, Cyclic(1), 101, background=0.0)[0, 0]
    assert coverage.mean() == pytest.approx(area, abs=0.01)


def test_an_arc_is_a_stroke_of_its_width():
    coverage = draw_probe(Arc(10, 4), Cyclic(1), 61, background=0.0)[0, 0]
    assert coverage.sum() == pytest.approx(np.pi * 10 * 4, rel=0.02)  # half a ring
    assert coverage[30, 30] == 1  # it passes through the point


def test_a_disk_is_a_disk_that_touches_the_point():
    coverage = draw_probe(Disk(10), Cyclic(1), 61, background=0.0)[0, 0]
    assert coverage.sum() == pytest.approx(np.pi * 100, rel=0.02)
    assert coverage[30, 30] == 0.5
    assert coverage[20, 30] == 1


def test_the_point_and_the_grays():
    at = draw_probe(Edge(), Cyclic(4), 20, at=(3.5, -2.5), foreground=0.2, background=0.9)
    assert at.unique().tolist() == pytest.approx([0.2, 0.55, 0.9])
    assert (at[0, 0, 7] - 0.55).abs().max() < 1e-6  # the row whose pixels the border halves
    assert (at[1, 0, :, 13] - 0.55).abs().max() < 1e-6


def test_probes_are_read_where_they_are_drawn(small_network):
    group = Cyclic(8)
    orbits = probe_orbits(SHAPES[:2], small_network, group, n_positions=3, random_state=4)
    field = receptive_field(small_network, "relu")
    assert orbits.shape == (2, 3, 8, field.n_channels)
    again = probe_orbits(SHAPES[1:2], small_network, group, n_positions=3, random_state=4)
    # in another batch: convolutions of 75 and 72 products, and an interpolation
    assert_near(again[0], orbits[1], 75 + 72 + 4)
    # the same on the whole input: a patch is enough, and units have their places
    unit = field.smallest_input()[1]
    within = np.random.default_rng(4).random((3, 2))
    position = field.to_positions(torch.tensor(unit) + torch.from_numpy(within[2]))
    at = (float(position[0]), float(position[1]))
    images = draw_probe(SHAPES[1], group, field.input_size, at=at)
    maps = small_network.activations(images, "relu").double()
    column, row = unit
    x, y = within[2]
    corners = maps[:, :, row : row + 2, column : column + 2]
    weights = torch.tensor([[(1 - x) * (1 - y), x * (1 - y)], [(1 - x) * y, x * y]])
    expected = (corners * weights).sum((2, 3)).numpy()
    np.testing.assert_allclose(orbits[1, 2], expected, atol=1e-5)


def test_bad_input(small_network):
    for degrees in (0, 180):
        with pytest.raises(ValueError, match="A corner opens"):
            Corner(degrees)
    with pytest.raises(ValueError, match="0 < width < radius"):
        Arc(3, 3)
    with pytest.raises(ValueError, match="positive radius"):
        Disk(0)
    with pytest.raises(ValueError, match="greys from 0 to 1"):
        draw_probe(Edge(), Cyclic(4), 20, foreground=255)
    with pytest.raises(ValueError, match="at 1 position or more"):
        probe_orbits([Edge()], small_network, Cyclic(4), n_positions=0)
