from __future__ import annotations

import pickle
import re

import pytest
import torch
from torch import nn

from sklearn_groupcross import Network
from sklearn_groupcross.networks._layers import LayerReader
from tests.networks.modules import torchvision_network


def test_layers_are_suggested_that_can_be_read():
    """Attention has its projection as a submodule, and never calls it."""
    images = torch.rand(1, 3, 48, 48)

    class Pairs(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.first = nn.Conv2d(3, 4, 3)
            self.second = nn.Identity()

        def forward(self, x):
            tokens = self.first(x).flatten(2).transpose(1, 2)
            return self.second((tokens, self.attention(tokens, tokens, tokens)[0]))

    network = Network(nn.Sequential(Pairs()))
    with pytest.raises(ValueError, match=r"does: within it \(0\.first\), before") as refusal:
        network.activations(images[..., :9, :9], "0")
    suggested = re.search(r"within it \(([^)]*)\)", str(refusal.value))[1].split(", ")
    assert [network.activations(images, name).ndim for name in suggested] == [4]
    with pytest.raises(ValueError, match="does: before it or behind it"):
        network.activations(images[..., :9, :9], "0.attention")
    with pytest.raises(ValueError, match="does: before it or behind it"):
        network.run_with_replacement(images[..., :9, :9], "0.attention", lambda maps: maps)


def test_nodes_of_the_graph_are_layers():
    network, images = torchvision_network("resnet18", input_size=64), torch.rand(2, 3, 64, 64)
    layers = ["layer1.0.add", "layer1.0.relu_1", "layer2.0", "layer1.0.bn2"]
    maps = network.activations(images, layers)
    assert list(maps) == layers
    # the ReLU behind the sum works in place: the sum must not show it
    assert (maps["layer1.0.add"] < 0).any()
    torch.testing.assert_close(maps["layer1.0.add"].relu(), maps["layer1.0.relu_1"])
    torch.testing.assert_close(network.activations(images, "layer1.0"), maps["layer1.0.relu_1"])
    assert "layer1.0.add" in network.node_names
    with pytest.raises(ValueError, match=r"no layer 'layer1.0.ad'. Nearest: layer1.0.add, "):
        network.check_layer("layer1.0.ad")
    with pytest.raises(ValueError, match="is a node of its graph; only the output of a submodule"):
        network.run_with_replacement(images, "layer1.0.add", lambda x: x)
    assert pickle.loads(pickle.dumps(network)).check_layer("layer1.0.add") == "layer1.0.add"


def test_a_graph_that_cannot_be_traced_has_no_nodes():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return self.conv(x) if x.sum() > 0 else x

    network = Network(Branching())
    assert network.node_names == []
    with pytest.raises(ValueError, match=r"Nearest: conv. \(Its graph cannot be traced"):
        network.check_layer("add")
    assert network.activations(torch.ones(1, 3, 2, 2), "conv").shape == (1, 2, 2, 2)


def test_what_was_reached_before_a_failure_is_there():
    module = nn.Sequential(nn.Identity(), nn.Conv2d(1, 2, 3), nn.Identity())
    outputs = {}
    images = torch.rand(1, 3, 8, 8)
    with pytest.raises(RuntimeError, match="channels"):
        LayerReader(module).read_into(outputs, images, ["0", "2"])
    assert list(outputs) == ["0"]
    assert torch.equal(outputs["0"], images)
