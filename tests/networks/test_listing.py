from __future__ import annotations

import pytest
import torch
from torch import nn

from sklearn_groupcross import Network, receptive_field
from sklearn_groupcross.networks import list_layers
from tests.networks.modules import Of, Unsteady, torchvision_network


def by_name(*args, **options):
    return {layer.name: layer for layer in list_layers(*args, **options)}


@pytest.mark.parametrize("make", [lambda: "bundled", lambda: torchvision_network("resnet18")])
def test_layers_are_as_they_are_read_one_by_one(make):
    network = make()
    layers = by_name(network, 64, nodes=network != "bundled")
    some = [layer for layer in layers.values() if not layer.problem][::7]
    assert some
    for layer in some:
        assert layer.field == receptive_field(network, layer.name, 64, confirm=False)
        channels, height, width = layer.shape
        assert layer.field.n_channels == channels
        assert layer.field.map_size == (width, height)


def test_the_default_and_those_that_cannot_be_read_are_marked():
    layers = by_name("bundled")
    assert [name for name, layer in layers.items() if layer.is_default] == ["relu3"]
    assert layers["head"].problem.startswith("Layer 'head' puts out (1, 70)")
    assert layers["local_head"].problem.endswith("is not part of its forward pass.")
    for name in ("head", "local_head"):
        assert layers[name].field is None
        assert layers[name].shape is None


def test_operations_are_listed_behind_submodules():
    network = torchvision_network("resnet18")
    layers = list(by_name(network, 64, nodes=True).values())
    n = len(network.layer_names)
    assert [layer.name for layer in layers[:n]] == network.layer_names
    assert {layer.kind for layer in layers[n:]} == {"operation"}
    assert "layer1.0.add" in [layer.name for layer in layers[n:]]
    assert (layers[0].name, layers[0].kind) == ("conv1", "Conv2d")


def test_a_module_that_fails_further_on_has_its_first_layers():
    """Its head is made for images of another size."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(9, 2), nn.Identity())
    layers = by_name(Network(module, input_size=12))
    assert layers["0"].shape == (4, 10, 10)
    assert not layers["0"].problem
    assert "The forward pass fails before it:" in layers["3"].problem
    with pytest.raises(ValueError, match="reads 5 channels, and preprocessed images have 3"):
        list_layers(Network(nn.Sequential(nn.Conv2d(5, 4, 3)), input_size=12))


def test_channels_in_other_numbers():
    module = nn.Sequential(nn.Conv2d(5, 4, 3))
    (layer,) = list_layers(Network(module, n_channels=5, input_size=12))
    assert (layer.shape, layer.problem) == ((4, 10, 10), "")


def test_what_is_not_followed_is_measured_if_asked_for():
    module = Of(lambda x: torch.nn.functional.unfold(x, 4, stride=4).unflatten(2, (8, 8)))
    network = Network(module, input_size=32)
    assert "mixes all positions" in by_name(network)["out"].problem
    measured = by_name(network, confirm=True)["out"]
    assert measured.problem == ""
    assert measured.field.derivation == "measured"
    mixed = Of(lambda x: x.flip(-1).cumsum(-1))
    problem = by_name(Network(mixed, input_size=32), confirm=True)["out"].problem
    assert "Measured by gradients" in problem


def test_a_module_is_left_as_it_was():
    module = Unsteady().train()
    state = {name: value.clone() for name, value in module.state_dict().items()}
    layers = by_name(module, 24)
    assert layers["block"].shape == (4, 20, 20)
    assert all(part.training for part in module.modules())
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_a_module_without_parts_has_no_layers():
    assert list_layers(nn.Identity(), 8) == []
    with pytest.raises(ValueError, match="input_size is at least 1"):
        list_layers("bundled", 0)
