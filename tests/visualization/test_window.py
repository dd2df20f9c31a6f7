from __future__ import annotations

import pytest
import torch
from torch import nn

from sklearn_groupcross import Network, load_network, receptive_field
from sklearn_groupcross.visualization._window import find_window
from tests.networks.modules import Patches


def test_a_window_is_the_field_and_its_unit_computes_what_it_does_in_an_image():
    network = load_network("bundled")
    field = receptive_field(network, "relu3")
    window = find_window(network, "relu3")
    assert (window.size, window.side) == (35, 38)
    assert window.side < field.input_size
    pictures = torch.rand(2, 3, 35, 35, generator=torch.Generator().manual_seed(0))
    # the same pictures somewhere inside of whole images
    column, row = (int(units[len(units) // 2]) for units in field.interior_units())
    left, top = (
        round(offset + k * stride - (size - 1) / 2)
        for k, offset, stride, size in zip(
            (column, row), field.offset, field.stride, field.size, strict=True
        )
    )
    images = torch.zeros(2, 3, field.input_size, field.input_size)
    images[:, :, top : top + 35, left : left + 35] = pictures
    expected = network.activations(images, "relu3")[:, :, row, column]
    with torch.enable_grad():
        found = window.read(network, pictures.requires_grad_())
    torch.testing.assert_close(found.detach(), expected, rtol=1e-4, atol=1e-5)
    assert found.requires_grad


class OneSize(nn.Module):
    """Reads images of 40 px alone."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 5, padding=2)

    def forward(self, x):
        if x.shape[-1] != 40:
            raise RuntimeError("another size")
        return self.conv(x)


class Depends(OneSize):
    """Computes something else on small images."""

    def forward(self, x):
        return self.conv(x) * x.shape[-1]


@pytest.mark.parametrize("module", [OneSize, Depends])
def test_networks_that_need_their_own_size_get_it(module):
    torch.manual_seed(0)
    network = Network(module(), input_size=40)
    field = receptive_field(network, "conv", confirm=False)
    window = find_window(network, "conv", field)
    assert (window.side, window.size) == ((40, 5) if module is OneSize else (5, 5))
    if module is OneSize:
        middle = window.unit[0] * field.stride[0] + field.offset[0]
        assert abs(middle - 19.5) <= field.stride[0] / 2
        assert window.start == (window.unit[0] - 2, window.unit[1] - 2)


def test_where_everything_counts_the_picture_is_the_whole_image():
    torch.manual_seed(0)
    network = Network.from_timm(Patches(n_prefix=3))
    field = receptive_field(network, "block")
    assert field.global_context
    window = find_window(network, "block", field)
    assert (window.side, window.size, window.start) == (48, 48, (0, 0))
    assert window.unit in {(2, 2), (3, 3)}


def test_layers_behind_the_layer_read_are_no_hindrance():
    network = Network(
        nn.Sequential(nn.Conv2d(1, 4, 7, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 729, 2)),
        input_size=59,
        n_channels=1,
    )
    window = find_window(network, "1")
    assert (window.side, window.size, window.unit) == (7, 7, (0, 0))
