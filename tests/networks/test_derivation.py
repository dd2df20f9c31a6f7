from __future__ import annotations

import pytest
import torch

from sklearn_groupcross import Network, load_network, receptive_field
from sklearn_groupcross.networks import confirm_receptive_field
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
    center = field.offset[1] + unit * field.stride[1]
    reach = (field.size[1] - 1) / 2
    assert gradient_footprint(small_network, layer, 48, unit) == (center - reach, center + reach)


# By hand, with stride s and reach r from the center, r += (kernel - 1) / 2 * s:
# conv1 7: s 2, r 3; pool 3: s 4, r 5; conv2 3: r 9; pool 3: s 8, r 13; 3a 5: r 29; 3b 5: r 45;
# pool 3: s 16, r 53; 4a, 4b, 4c 5: r 85, 117, 149. Sizes are 2 r + 1.
# Unit 0 of conv1 is centred on pixel 0; pools are not padded, so each moves the center by the
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


def test_modules_and_names_have_fields_too(small_network):
    assert receptive_field("bundled") == receptive_field(load_network("bundled"))
    expected = receptive_field(small_network, "relu", 48)
    assert receptive_field(small_network.module, "relu", 48) == expected
    with pytest.raises(ValueError, match="needs a weights file"):
        receptive_field("bvlc_googlenet")
    with pytest.raises(ValueError, match="input_size is at least 1"):
        receptive_field(small_network, "relu", -3)


def test_the_network_itself_is_left_alone(small_network):
    before = {key: value.clone() for key, value in small_network.module.state_dict().items()}
    receptive_field(small_network, confirm=True)
    assert small_network.device.type == "cpu"
    for key, value in small_network.module.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_gradients_of_a_constant_layer_say_so():
    network = Network(Gated(lambda x: 0 * x), input_size=16)
    with pytest.raises(ValueError, match="No pixel reaches unit"):
        receptive_field(network, "out", confirm=True)
