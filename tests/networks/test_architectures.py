"""Other people's networks: torchvision's, with random weights, and transformers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torchvision.models
from torch import nn

from sklearn_groupcross import Network, receptive_field
from sklearn_groupcross.networks import confirm_receptive_field
from tests.networks.modules import Patches, torchvision_network


@pytest.mark.parametrize(
    ("name", "layer", "stride", "offset", "size", "gated"),
    [
        # conv 7: reach 3, pool 3: 5, two blocks of two 3 × 3 at stride 4: 21, then 4 + 3 × 8: 49
        ("resnet18", "layer2", 8, 0, 99, False),
        # sums are no modules: two 3 × 3 at stride 4 behind the pool
        ("resnet18", "layer1.0.add", 4, 0, 27, False),
        # patches of 4: 1.5, three 7 × 7 at stride 4: 37.5, 2 × 2: 39.5, three at stride 8: 111.5
        ("convnext_tiny", "features.3", 8, 3.5, 224, False),
        ("efficientnet_b0", "features.3", 8, 0, 67, True),
        ("regnet_y_400mf", "trunk_output.block2", 8, 0, 47, True),
        ("mobilenet_v3_small", "features.3", 8, 0, 31, True),
        ("densenet121", "features.denseblock1", 4, 0, 59, False),
    ],
)
def test_networks_of_torchvision(name, layer, stride, offset, size, gated):
    network = torchvision_network(name, input_size=128)
    field = receptive_field(network, layer)
    assert (field.stride, field.offset, field.size) == ((stride,) * 2, (offset,) * 2, (size,) * 2)
    assert field.global_context == gated
    n_units = 128 // stride
    assert field.map_size == (n_units, n_units)
    for unit, box in confirm_receptive_field(network, layer, field).items():
        low, high = (offset + unit[0] * stride + end * (size - 1) / 2 for end in (-1, 1))
        assert box == (max(low, 0), min(high, 127)) * 2


def test_channels_that_come_last_are_refused():
    network = torchvision_network("convnext_tiny", input_size=64)
    with pytest.raises(ValueError, match=r"puts out \(1, 16, 16, 96\), its channels not before"):
        receptive_field(network, "features.1.0.block.2")
    # windows of attention are not followed
    with pytest.raises(ValueError, match="view.* mixes all positions"):
        receptive_field(torchvision_network("swin_t", input_size=64), "features.1")


@pytest.mark.parametrize("layer", ["embed", "tokens", "mixed", "block"])
@pytest.mark.parametrize("n_prefix", [0, 3])
def test_models_in_the_manner_of_timm(layer, n_prefix):
    network = Network.from_timm(Patches(n_prefix))
    assert (network.input_size, network.name) == (48, "Patches")
    torch.testing.assert_close(
        network.preprocess(torch.ones(1, 3, 1, 1)).flatten(), torch.tensor([2.5, 3.0, 7.0])
    )
    field = receptive_field(network, layer, confirm=True)
    assert (field.stride, field.offset, field.size) == ((8, 8), (3.5, 3.5), (8, 8))
    assert field.map_size == (6, 6)
    assert field.global_context == (layer in ("mixed", "block"))
    assert network.activations(torch.rand(1, 3, 32, 56), layer).shape == (1, 12, 4, 7)


def test_timm_settings_from_objects_and_overrides():
    module = Patches()
    module.pretrained_cfg = None
    module.default_cfg = SimpleNamespace(**Patches.pretrained_cfg)
    module.patch_embed = nn.Identity()
    module.patch_embed.img_size = (64, 64)  # built for larger images than its weights
    network = Network.from_timm(module, default_layer="block")
    assert (network.input_size, network.default_layer) == (64, "block")
    assert Network.from_timm(module, input_size=56, name="mine").input_size == 56
    module.patch_embed.img_size = (64, 32)
    with pytest.raises(ValueError, match="orbits need square ones"):
        Network.from_timm(module)
    with pytest.raises(ValueError, match=r"Sequential does not say .* mean, std, input_size"):
        Network.from_timm(nn.Sequential())


def test_settings_of_torchvision_weights():
    weights = torchvision.models.Inception_V3_Weights.IMAGENET1K_V1
    for given in (weights, weights.transforms()):
        network = Network.from_torchvision(nn.Conv2d(3, 2, 1), given, default_layer="")
        assert network.input_size == 299
        image = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None]
        assert network.preprocess(image).abs().max() < 1e-6
    with pytest.raises(ValueError, match="has no mean, std, crop_size"):
        Network.from_torchvision(nn.Conv2d(3, 2, 1), lambda images: images)
    with pytest.raises(ValueError, match=r"is a class.*Inception_V3_Weights\.DEFAULT"):
        Network.from_torchvision(nn.Conv2d(3, 2, 1), type(weights))
