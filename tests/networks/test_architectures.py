"""Other people's networks: torchvision's, with random weights, and transformers."""

from __future__ import annotations

import pickle
import re
from types import SimpleNamespace

import pytest
import torch
import torchvision.models
from torch import nn

from sklearn_groupcross import Network, receptive_field
from sklearn_groupcross.networks import confirm_receptive_field


def _torchvision(name, **options):
    return Network(getattr(torchvision.models, name)(weights=None), name=name, **options)


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
    network = _torchvision(name, input_size=128)
    field = receptive_field(network, layer)
    assert (field.stride, field.offset, field.size) == ((stride,) * 2, (offset,) * 2, (size,) * 2)
    assert field.global_context == gated
    n_units = 128 // stride
    assert field.map_size == (n_units, n_units)
    for unit, box in confirm_receptive_field(network, layer, field).items():
        low, high = (offset + unit[0] * stride + end * (size - 1) / 2 for end in (-1, 1))
        assert box == (max(low, 0), min(high, 127)) * 2


def test_channels_that_come_last_are_refused():
    network = _torchvision("convnext_tiny", input_size=64)
    with pytest.raises(ValueError, match=r"puts out \(1, 16, 16, 96\), its channels not before"):
        receptive_field(network, "features.1.0.block.2")
    # windows of attention are not followed
    with pytest.raises(ValueError, match="view.* mixes all positions"):
        receptive_field(_torchvision("swin_t", input_size=64), "features.1")


def _vit():
    torch.manual_seed(0)
    module = torchvision.models.VisionTransformer(
        image_size=64, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    )
    nn.init.normal_(module.heads.head.weight)  # torchvision's begins at zero
    return module


class Patches(nn.Module):
    """A transformer that describes itself as those of timm do; images need not be square."""

    pretrained_cfg = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.1), "input_size": (3, 48, 48)}

    def __init__(self, n_prefix=3):
        super().__init__()
        self.num_prefix_tokens = n_prefix
        self.embed = nn.Conv2d(3, 12, 8, stride=8)
        self.tokens = nn.Identity()
        self.prefix = nn.Parameter(torch.zeros(1, n_prefix, 12))
        self.qkv = nn.Linear(12, 36)
        self.mixed = nn.Identity()
        self.block = nn.Identity()
        self.pair = nn.LSTM(12, 4, batch_first=True)

    def forward(self, x):
        x = self.tokens(self.embed(x).flatten(2).transpose(1, 2))
        x = torch.cat([self.prefix.expand(len(x), -1, -1), x], dim=1)
        q, k, v = self.qkv(x).reshape(len(x), -1, 3, 2, 6).permute(2, 0, 3, 1, 4).unbind(0)
        attended = (q @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        x = self.block(x + self.mixed(attended.transpose(1, 2).reshape(x.shape)))
        return self.pair(x)


@pytest.mark.parametrize(
    ("layer", "context"),
    [
        ("conv_proj", False),
        ("encoder.dropout", False),  # the embedding, behind its class token
        ("encoder.layers.encoder_layer_0.ln_1", False),
        ("encoder.layers.encoder_layer_0", True),
        ("encoder", True),
    ],
)
def test_a_token_is_at_its_patch(layer, context):
    field = receptive_field(Network(_vit(), input_size=64), layer, confirm=True)
    assert field.stride == field.size == (8, 8)
    assert field.offset == (3.5, 3.5)
    assert field.map_size == (8, 8)
    assert field.n_channels == 16
    assert field.global_context == context


def test_tokens_are_read_as_maps():
    network, images = Network(_vit(), input_size=64), torch.rand(2, 3, 64, 64)
    tokens = []
    hook = network.module.encoder.register_forward_hook(lambda *args: tokens.append(args[2]))
    maps = network.activations(images, "encoder")
    hook.remove()
    assert maps.shape == (2, 16, 8, 8)
    # row by row, behind the class token
    torch.testing.assert_close(maps[:, :, 2, 5], tokens[0][:, 1 + 2 * 8 + 5])
    # a change in the last patch of the first row changes that unit of the embedding only
    changed = images.clone()
    changed[:, :, :8, 56:] += 1
    embedded = [network.activations(x, "encoder.dropout") for x in (images, changed)]
    assert (embedded[0] != embedded[1]).any(dim=1).nonzero()[:, 1:].unique(dim=0).tolist() == [
        [0, 7]
    ]


def test_tokens_can_be_replaced():
    network, images = Network(_vit(), input_size=64), torch.rand(2, 3, 64, 64)
    layer = "encoder.layers.encoder_layer_0"
    logits = network.run(images)
    torch.testing.assert_close(
        network.run_with_replacement(images, layer, lambda maps: maps), logits, rtol=0, atol=0
    )
    swapped = network.run_with_replacement(images, layer, lambda maps: maps.flip(0))
    assert (swapped - logits).abs().max() > 1e-4


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


def test_token_grids_that_cannot_be_told():
    images = torch.rand(1, 3, 48, 48)
    wrong = Patches()
    wrong.num_prefix_tokens = 2
    with pytest.raises(ValueError, match=r"39 tokens; .*6 × 6 = 36 behind 2 others"):
        Network(wrong).activations(images, "block")
    with pytest.raises(ValueError, match=r"39 tokens; token_grid=\(7, 6\) make a grid of 7 × 6"):
        Network(Patches(), token_grid=(7, 6)).activations(images, "block")
    flat = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(2))
    with pytest.raises(ValueError, match="no convolution of the network cuts .* token_grid="):
        Network(flat).activations(images, "1")
    # whoever says so may read tokens with others in front and behind
    module = Patches()
    maps = Network(module, n_prefix_tokens=0).activations(images, "block")
    usual = Network(module).activations(images, "block")
    torch.testing.assert_close(maps.flatten(2)[:, :, 3:], usual.flatten(2)[:, :, :-3])
    with pytest.raises(ValueError, match="no place in the image"):
        receptive_field(Network(module, n_prefix_tokens=0, input_size=48), "block")


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
    network, images = _torchvision("resnet18", input_size=64), torch.rand(2, 3, 64, 64)
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
