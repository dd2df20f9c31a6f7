from __future__ import annotations

import pytest
import torch

from sklearn_groupcross import Network, load_network, receptive_field


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


@pytest.mark.parametrize(
    ("layer", "stride", "offset", "size", "units"),
    [
        ("inception_3a_output", 8, 6, 59, 28),
        ("inception_3b_output", 8, 6, 91, 28),
        ("inception_4c_output", 16, 14, 299, 14),
    ],
)
def test_googlenet_fields_are_those_derived_by_hand(layer, stride, offset, size, units):
    from sklearn_groupcross.networks._bvlc_googlenet import BVLCGoogLeNet

    field = receptive_field(Network(BVLCGoogLeNet()), layer)
    assert field.stride == (stride, stride)
    assert field.offset == (offset, offset)
    assert field.size == (size, size)
    assert field.map_size == (units, units)


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


def test_a_gate_from_all_positions_has_no_field_either():
    class Gated(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.out = torch.nn.Identity()

        def forward(self, x):
            return self.out(x * x.mean((2, 3), keepdim=True))

    with pytest.raises(ValueError, match="mean.* mixes all positions"):
        receptive_field(Network(Gated(), input_size=16), "out")


def test_dilated_pools():
    module = torch.nn.Sequential(torch.nn.MaxPool2d(3, dilation=2), torch.nn.AvgPool2d(2))
    network = Network(module, input_size=32)
    assert receptive_field(network, "0").size == (5, 5)
    assert receptive_field(network, "1").size == (8, 8)


def test_a_small_interior_is_not_given_up():
    from sklearn_groupcross.networks._bvlc_googlenet import BVLCGoogLeNet

    network = Network(BVLCGoogLeNet())
    # fields of 171 px: units centred on 94, 110 and 126 see no padding
    assert receptive_field(network, "inception_4a_output").interior_radius() == 14.5
    # fields of 299 px on 224 px: all see padding, the disk is that of the map
    assert receptive_field(network, "inception_4c_output").interior_radius() == 97.5


def test_units_of_positions():
    from sklearn_groupcross.networks._bvlc_googlenet import BVLCGoogLeNet

    field = receptive_field(Network(BVLCGoogLeNet()), "inception_3b_output")
    centre = field.to_units(torch.zeros(2))
    # the image centre, pixel 111.5, is unit 13.19 and not 13.5
    torch.testing.assert_close(centre, torch.full((2,), (111.5 - 6) / 8))
    assert field.interior_radius() == 62.5


def test_the_network_itself_is_left_alone(small_network):
    receptive_field(small_network)
    assert small_network.device.type == "cpu"
