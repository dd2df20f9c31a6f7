from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sklearn_groupcross import Network, load_network, receptive_field
from sklearn_groupcross.networks import ReceptiveField
from sklearn_groupcross.networks._bvlc_googlenet import BVLCGoogLeNet


def test_a_small_interior_is_not_given_up():
    network = Network(BVLCGoogLeNet())
    # fields of 171 px: units centred on 94, 110 and 126 see no padding
    assert receptive_field(network, "inception_4a_output").interior_radius() == 14.5
    # fields of 299 px on 224 px: all see padding, the disk is that of the map
    assert receptive_field(network, "inception_4c_output").interior_radius() == 97.5


def test_units_of_positions():
    field = receptive_field(Network(BVLCGoogLeNet()), "inception_3b_output")
    center = field.to_units(torch.zeros(2))
    # the image center, pixel 111.5, is unit 13.19 and not 13.5
    torch.testing.assert_close(center, torch.full((2,), (111.5 - 6) / 8))
    assert field.interior_radius() == 62.5


FIELD = ReceptiveField((4.0, 2.0), (1.0, -3.0), (9, 5), (20, 44), 7, 80)


def test_positions_of_units_are_the_inverse():
    positions = torch.rand(50, 2, dtype=torch.float64) * 80 - 40
    torch.testing.assert_close(FIELD.to_positions(FIELD.to_units(positions)), positions)
    # unit (0, 0) is centred on pixel (1, -3), the image on (39.5, 39.5)
    assert FIELD.to_positions(torch.tensor([0, 0])).tolist() == [-38.5, -42.5]
    assert FIELD.to_positions(torch.tensor([[2, 1]])).tolist() == [[-30.5, -40.5]]


def test_the_extent_covers_one_stride_about_every_unit():
    # columns are centred on 1, 5, ..., 77, rows on -3, -1, ..., 83
    assert FIELD.extent == (-1, 79, 84, -4)


def test_interior_units_see_the_image_only():
    columns, rows = FIELD.interior_units()
    for units, stride, offset, reach, n in [(columns, 4, 1, 4, 20), (rows, 2, -3, 2, 44)]:
        inside = [
            k
            for k in range(n)
            if offset + k * stride - reach >= 0 and offset + k * stride + reach <= 79
        ]
        assert list(units) == inside
    large = replace(FIELD, size=(81, 5))
    assert len(large.interior_units()[0]) == 0
    assert large.interior_units()[1] == rows


def test_positions_come_as_tensors_arrays_or_lists():
    expected = FIELD.to_units(torch.tensor([[3.0, -2.0]]))
    for given in ([[3, -2]], np.array([[3.0, -2.0]]), torch.tensor([[3, -2]])):
        torch.testing.assert_close(FIELD.to_units(given), expected, check_dtype=False)
        torch.testing.assert_close(
            FIELD.to_positions(FIELD.to_units(given).numpy()),
            torch.tensor([[3.0, -2.0]]),
            check_dtype=False,
        )
    with pytest.raises(ValueError, match=r"have shape \(..., 2\); got \(3,\)"):
        FIELD.to_units([1.0, 2.0, 3.0])


def test_an_interior_is_a_disk_without_padding():
    assert FIELD.has_interior
    assert not replace(FIELD, size=(81, 5)).has_interior
    whole = replace(FIELD, size=(81, 81))
    assert not whole.has_interior
    assert whole.interior_radius() > 0


def test_readings_within_the_interior_radius_use_interior_units():
    radius, (columns, rows) = FIELD.interior_radius(), FIELD.interior_units()
    angles = torch.linspace(0, 2 * torch.pi, 721, dtype=torch.float64)
    ring = radius * torch.stack([angles.cos(), angles.sin()], 1)
    for scale, inside in ((1.0, True), (1.03, False)):
        units = FIELD.to_units(scale * ring)
        low, high = units.floor().amin(0), (units - 1e-9).ceil().amax(0)
        seen = low[0] >= columns[0] and low[1] >= rows[0]
        assert (seen and high[0] <= columns[-1] and high[1] <= rows[-1]) == inside


def test_a_turned_square_has_no_corners():
    radius = FIELD.interior_radius(turned=True)
    angles = torch.linspace(0, 2 * torch.pi, 721, dtype=torch.float64)
    units = FIELD.to_units(radius * torch.stack([angles.cos(), angles.sin()], 1))
    farthest = 0.0
    for rounding in (torch.floor, torch.ceil):
        for corner in ((4, 2), (4, -2), (-4, 2), (-4, -2)):
            pixels = FIELD.to_positions(rounding(units)) + torch.tensor(corner)
            farthest = max(farthest, pixels.norm(dim=1).max().item())
    assert 33 < farthest <= 39.5  # what is inscribed in the square
    with pytest.raises(ValueError, match="No field of 299 × 299 px stays clear of the corners"):
        receptive_field(Network(BVLCGoogLeNet()), "inception_4c_output").interior_radius(
            turned=True
        )


def test_smallest_input():
    network = Network(BVLCGoogLeNet())
    # unit 5 of 3b is centred on pixel 46 and sees pixels 1 to 91
    assert receptive_field(network, "inception_3b_output").smallest_input() == (92, (5, 5))
    # fields of 299 px on 224: the unit nearest to pixel 111.5 is centred on 14 + 6 * 16 = 110
    assert receptive_field(network, "inception_4c_output").smallest_input() == (224, (6, 6))
    assert replace(FIELD, input_size=9).smallest_input() == (9, (1, 4))
    assert FIELD.smallest_input() == (10, (1, 3))


def _patch_and_image(network, layer, image, at):
    """A unit's activation in the image, in its patch, and in a patch a little too small."""
    field = receptive_field(network, layer)
    side, unit = field.smallest_input()
    corner = [int(s * (k - u)) for s, k, u in zip(field.stride, at, unit, strict=True)]
    readings = [network.activations(image, layer)[0, :, at[1], at[0]]]
    for size, skip in ((side, 0), (side - 8, 8)):
        left, top = corner[0] + skip, corner[1] + skip
        patch = image[:, :, top : top + size, left : left + size]
        shift = [u - int(skip / s) for u, s in zip(unit, field.stride, strict=True)]
        readings.append(network.activations(patch, layer)[0, :, shift[1], shift[0]])
    return readings


@pytest.mark.parametrize("at", [(5, 5), (13, 9), (22, 16)])
def test_a_unit_of_a_patch_is_that_of_the_image(shared_data, at):
    network = load_network("bvlc_googlenet", shared_data / "bvlc_googlenet.safetensors")
    image = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    whole, patch, cut = _patch_and_image(network, "inception_3b_output", image, at)
    assert (patch - whole).norm() <= 1e-5 * whole.norm()
    assert (cut - whole).norm() > 1e-4 * whole.norm()


@pytest.mark.parametrize("layer", ["relu2", "relu3"])
def test_a_unit_of_a_patch_is_that_of_the_image_in_the_bundled_network(layer):
    image = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    whole, patch, cut = _patch_and_image(load_network("bundled"), layer, image, (11, 13))
    assert (patch - whole).norm() <= 1e-5 * whole.norm()
    assert (cut - whole).norm() > 1e-4 * whole.norm()


def test_units_around_a_disk():
    field = receptive_field(Network(BVLCGoogLeNet()), "inception_3b_output")
    # those that see no padding, and no more, though floats are rounded
    assert field.units_around(field.interior_radius()) == field.interior_units()
    assert field.units_around(0) == (range(13, 15), range(13, 15))
    assert field.units_around(1e6) == (range(28), range(28))
    # (39.5 - 1) / 4 is unit 9.625, (39.5 + 3) / 2 unit 21.25
    assert FIELD.units_around(2.5) == (range(9, 12), range(20, 24))
    assert FIELD.units_around(1.5) == (range(9, 11), range(20, 23))
    left = replace(FIELD, offset=(-200.0, 0.0))
    assert left.units_around(1)[0] == range(19, 20)
