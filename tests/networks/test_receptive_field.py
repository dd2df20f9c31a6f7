from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sklearn_groupcross import Network, load_network, receptive_field
from sklearn_groupcross.networks import ReceptiveField, confirm_receptive_field
from sklearn_groupcross.networks._bvlc_googlenet import BVLCGoogLeNet


def gradient_footprint(network, layer, size, unit):
    """First and last pixel row whose change reaches a unit, for positive weights."""
    module = network.module
    with torch.no_grad():
        saved = {k: v.clone() for k, v in module.state_dict().items()}
        for parameter in module.parameters():
            parameter.copy_(torch.rand_like(parameter) * 0.1)
    image = torch.rand(1, 3, size, size, requires_grad=True)
    touched = torch.zeros(size, dtype=torch.bool)
    for seed in range(30):  # a maximum passes its gradient to one pixel: many images touch them all
        image = torch.rand(
            1, 3, size, size, generator=torch.Generator().manual_seed(seed)
        ).requires_grad_(True)
        maps = network.read_layer(image, layer)
        (gradient,) = torch.autograd.grad(maps[0, :, unit, :].sum(), image)
        touched |= (gradient != 0).any(dim=(0, 1, 3))
    module.load_state_dict(saved)
    rows = touched.nonzero()[:, 0]
    return int(rows[0]), int(rows[-1])


@pytest.mark.parametrize("layer", ["conv1", "pool", "conv2", "relu"])
@pytest.mark.parametrize("unit", [4, 5])
def test_fields_match_the_gradient_footprint(small_network, layer, unit):
    field = receptive_field(small_network, layer)
    centre = field.offset[1] + unit * field.stride[1]
    reach = (field.size[1] - 1) / 2
    assert gradient_footprint(small_network, layer, 48, unit) == (centre - reach, centre + reach)


# By hand, with stride s and reach r from the centre, r += (kernel - 1) / 2 * s:
# conv1 7: s 2, r 3; pool 3: s 4, r 5; conv2 3: r 9; pool 3: s 8, r 13; 3a 5: r 29; 3b 5: r 45;
# pool 3: s 16, r 53; 4a, 4b, 4c 5: r 85, 117, 149. Sizes are 2 r + 1.
# Unit 0 of conv1 is centred on pixel 0; pools are not padded, so each moves the centre by the
# stride of its input: to 2, to 2 + 4, to 6 + 8.
GOOGLENET = [
    ("inception_3a_output", 8, 6, 59, 28),
    ("inception_3b_output", 8, 6, 91, 28),
    ("inception_4c_output", 16, 14, 299, 14),
]


@pytest.mark.parametrize(("layer", "stride", "offset", "size", "units"), GOOGLENET)
def test_googlenet_fields_are_those_derived_by_hand(layer, stride, offset, size, units):
    network = Network(BVLCGoogLeNet())
    field = receptive_field(network, layer)
    assert field.stride == (stride, stride)
    assert field.offset == (offset, offset)
    assert field.size == (size, size)
    assert field.map_size == (units, units)
    assert not field.global_context
    for (column, row), box in confirm_receptive_field(network, layer, field).items():
        assert column == row
        ends = [offset + column * stride + end for end in (-(size // 2), size // 2)]
        assert box == (max(ends[0], 0), min(ends[1], 223)) * 2


def test_gradients_refute_a_wrong_field(small_network):
    field = receptive_field(small_network, "relu")
    confirm_receptive_field(small_network, "relu", field)
    for wrong in (
        {"offset": (field.offset[0] + 1, field.offset[1])},
        {"size": (field.size[0], field.size[1] + 2)},
        {"size": (field.size[0] - 2, field.size[1])},
        {"stride": (3.0, 4.0)},
    ):
        with pytest.raises(ValueError, match=r"'relu' of 'small' is wrong: gradients of unit"):
            confirm_receptive_field(small_network, "relu", replace(field, **wrong))


@torch.library.custom_op("groupcross_tests::seeing_above", mutates_args=())
def _seeing_above(x: torch.Tensor) -> torch.Tensor:
    """An operation that nobody knows: in the upper half, rows see the row above them too."""
    moved = x.clone()
    moved[:, :, 1 : x.shape[2] // 2] += x[:, :, : x.shape[2] // 2 - 1]
    return moved


def _back_through_seeing_above(context, gradient):
    back, half = gradient.clone(), gradient.shape[2] // 2
    back[:, :, : half - 1] += gradient[:, :, 1:half]
    return back


_seeing_above.register_autograd(_back_through_seeing_above)


class Hidden(torch.nn.Module):
    def forward(self, x):
        return _seeing_above(x)


def test_gradients_refute_what_the_operations_hide():
    network = Network(torch.nn.Sequential(Hidden()), input_size=16)
    # an unknown operation that keeps the shape is taken for one that works unit by unit
    assert receptive_field(network, "0", confirm=False).size == (1, 1)
    for confirmed in ({}, {"confirm": True}):
        with pytest.raises(ValueError, match="columns and 3 to 4 along rows; its field is derived"):
            receptive_field(network, "0", **confirmed)


def test_gradients_of_a_constant_layer_say_so():
    network = Network(Gated(lambda x: 0 * x), input_size=16)
    with pytest.raises(ValueError, match="No pixel reaches unit"):
        receptive_field(network, "out", confirm=True)


def test_bundled_network():
    network = load_network("bundled")
    field = receptive_field(network)
    maps = network.activations(torch.rand(1, 3, 96, 96))
    assert field.map_size == (maps.shape[-1], maps.shape[-2])


def test_asymmetric_padding_and_rectangular_kernels():
    module = torch.nn.Sequential(
        torch.nn.ZeroPad2d((1, 2, 3, 0)),
        torch.nn.Conv2d(3, 4, (3, 5), stride=(2, 1), dilation=(1, 2)),
    )
    field = receptive_field(Network(module, input_size=32), "1")
    assert field.stride == (1, 2)
    assert field.size == (9, 3)
    assert field.offset == (-1 + 4, -3 + 1)


def test_residual_sums_unite_fields():
    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 3, 5, padding=2)
            self.norm = torch.nn.BatchNorm2d(3)

        def forward(self, x):
            return self.norm(x + self.conv(x))

    field = receptive_field(Network(Residual(), input_size=16), "norm")
    assert field.size == (5, 5)
    assert field.offset == (0, 0)


def test_layers_that_mix_all_positions_have_no_field():
    class Attention(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.out = torch.nn.Identity()

        def forward(self, x):
            return self.out(x @ x)

    with pytest.raises(ValueError, match="mixes all positions"):
        receptive_field(Network(Attention(), input_size=16), "out")


class Gated(torch.nn.Module):
    """A map times something made of it."""

    def __init__(self, gate):
        super().__init__()
        self.gate = gate
        self.out = torch.nn.Identity()

    def forward(self, x):
        return self.out(x * self.gate(x))


def test_a_gate_of_one_number_for_all_positions_leaves_units_in_their_places():
    network = Network(Gated(lambda x: x.mean((2, 3), keepdim=True)), input_size=16)
    field = receptive_field(network, "out", confirm=True)
    assert field.global_context
    assert (field.size, field.offset, field.map_size) == ((1, 1), (0, 0), (16, 16))


@pytest.mark.parametrize(
    ("gate", "operation"),
    [
        (lambda x: x.flip(3), "flip"),
        (lambda x: x.mean(2, keepdim=True), "mean"),
        (lambda x: x.cumsum(2), "cumsum"),
        (lambda x: torch.roll(x, 3, 3), "roll"),
        (lambda x: x.mean((2, 3), keepdim=True).expand(-1, -1, 16, 16) * x.flip(2), "mean"),
    ],
)
def test_a_gate_that_differs_between_positions_has_no_field(gate, operation):
    with pytest.raises(ValueError, match=f"{operation}.* mixes all positions"):
        receptive_field(Network(Gated(gate), input_size=16), "out")


def test_dilated_pools():
    module = torch.nn.Sequential(torch.nn.MaxPool2d(3, dilation=2), torch.nn.AvgPool2d(2))
    network = Network(module, input_size=32)
    assert receptive_field(network, "0").size == (5, 5)
    assert receptive_field(network, "1").size == (8, 8)


def test_a_small_interior_is_not_given_up():
    network = Network(BVLCGoogLeNet())
    # fields of 171 px: units centred on 94, 110 and 126 see no padding
    assert receptive_field(network, "inception_4a_output").interior_radius() == 14.5
    # fields of 299 px on 224 px: all see padding, the disk is that of the map
    assert receptive_field(network, "inception_4c_output").interior_radius() == 97.5


def test_units_of_positions():
    field = receptive_field(Network(BVLCGoogLeNet()), "inception_3b_output")
    centre = field.to_units(torch.zeros(2))
    # the image centre, pixel 111.5, is unit 13.19 and not 13.5
    torch.testing.assert_close(centre, torch.full((2,), (111.5 - 6) / 8))
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


def test_modules_and_names_have_fields_too(small_network):
    assert receptive_field("bundled") == receptive_field(load_network("bundled"))
    expected = receptive_field(small_network, "relu", 48)
    assert receptive_field(small_network.module, "relu", 48) == expected
    with pytest.raises(ValueError, match="needs a weights file"):
        receptive_field("bvlc_googlenet")
    with pytest.raises(ValueError, match="input_size is at least 1"):
        receptive_field(small_network, "relu", -3)


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


def test_the_network_itself_is_left_alone(small_network):
    before = {key: value.clone() for key, value in small_network.module.state_dict().items()}
    receptive_field(small_network, confirm=True)
    assert small_network.device.type == "cpu"
    for key, value in small_network.module.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
