from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_groupcross import Network
from sklearn_groupcross.networks._maps import LayerMap
from tests.networks.modules import Patches


def test_outputs_that_are_no_tensor_are_described():
    with pytest.raises(ValueError, match=r"'pair' puts out tuple of tensor \(1, 39, 4\), tuple of"):
        Network(Patches()).activations(torch.rand(1, 3, 48, 48), "pair")

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.ModuleDict({"first": nn.Identity()})
            self.outer = nn.Identity()

        def forward(self, x):
            return self.outer({"low": x, "high": [x]})

    network = Network(nn.Sequential(Named()))
    with pytest.raises(
        ValueError, match=r"dict with 'low': tensor \(1, 3, 4, 4\), 'high': list of"
    ):
        network.activations(torch.rand(1, 3, 4, 4), "0.outer")
    # neither of the two within it puts out a tensor: one does not even run
    with pytest.raises(ValueError, match=r"Name a layer that does: before it or behind it\."):
        network.activations(torch.rand(1, 3, 4, 4), "0")


GRID = (3, 2)


def layer_map(output):
    return LayerMap.of(output, "out", nn.Identity(), (8, 12), GRID, 1)


@pytest.mark.parametrize("output", [torch.rand(2, 5, 2, 3), torch.rand(2, 1 + 6, 5)])
def test_maps_and_tokens_are_replaced_by_a_function_of_the_map(output):
    found = layer_map(output)
    maps = found.read(torch.float64)
    assert maps.shape == (2, 5, 2, 3)
    assert maps.dtype == torch.float64
    same = found.replaced(lambda given: given, torch.float64)
    assert torch.equal(same, output)
    assert same.data_ptr() != output.data_ptr()
    doubled = layer_map(found.replaced(lambda given: 2 * given, None))
    assert torch.equal(doubled.read(), 2 * found.read())
    if output.ndim == 3:
        assert torch.equal(doubled.output[:, 0], output[:, 0])  # in front of the grid


@pytest.mark.parametrize(
    ("replacement", "got"),
    [
        (torch.rand(2, 5, 3, 2), r"\(2, 5, 3, 2\)"),
        (np.zeros((1, 2)), r"\(1, 2\)"),
        (None, "NoneType"),
    ],
)
def test_replacements_of_another_shape_are_refused(replacement, got):
    with pytest.raises(ValueError, match=rf"layer 'out' .*\(2, 5, 2, 3\); got {got}"):
        layer_map(torch.rand(2, 5, 2, 3)).replaced(lambda maps: replacement, None)


@pytest.mark.parametrize("shape", [(2,), (2, 5), (1, 2, 3, 4, 5)])
def test_what_is_neither_map_nor_tokens_is_refused(shape):
    with pytest.raises(ValueError, match="Layer 'out' puts out .* one map .* or tokens"):
        layer_map(torch.rand(shape))
