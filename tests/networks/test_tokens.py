from __future__ import annotations

import pytest
import torch
import torchvision.models
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sklearn_groupcross import Network, receptive_field
from sklearn_groupcross.networks._tokens import TokenGrid
from tests.networks.modules import Patches, geometry


def _vit():
    torch.manual_seed(0)
    module = torchvision.models.VisionTransformer(
        image_size=64, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    )
    nn.init.normal_(module.heads.head.weight)  # torchvision's begins at zero
    return module


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


class SpatialReduction(nn.Module):
    """Overlapping patches, and a convolution without overlap within the attention."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 7, stride=4, padding=3)
        self.reduction, self.linear = nn.Conv2d(8, 8, 8, stride=8), nn.Linear(8, 8)
        self.out = nn.Identity()

    def forward(self, x):
        x = self.patch(x)
        context = self.reduction(x).mean((2, 3))
        return self.out(self.linear(x.flatten(2).transpose(1, 2)) + context[:, None])


def test_a_convolution_within_attention_cuts_no_patches():
    images = torch.rand(1, 3, 64, 64)
    with pytest.raises(ValueError, match=r"256 tokens, and no convolution .* token_grid="):
        Network(SpatialReduction(), input_size=64).activations(images, "out")
    network = Network(SpatialReduction(), input_size=64, token_grid=(16, 16))
    assert network.activations(images, "out").shape == (1, 8, 16, 16)
    field = receptive_field(network, "out")
    assert geometry(field) == ((4, 4), (0, 0), (7, 7))
    assert field.global_context
    wrong = Network(SpatialReduction(), input_size=64, token_grid=(8, 8), n_prefix_tokens=192)
    with pytest.raises(ValueError, match="no place in the image"):
        receptive_field(wrong, "out")


def test_many_tokens_in_front_of_a_grid_are_named_or_refused():
    class Queries(nn.Module):
        def __init__(self, n_queries):
            super().__init__()
            self.patch, self.out = nn.Conv2d(3, 8, 8, stride=8), nn.Identity()
            self.queries = nn.Parameter(torch.zeros(1, n_queries, 8))

        def forward(self, x):
            return self.out(torch.cat([self.queries, self.patch(x).flatten(2).mT], 1))

    images = torch.rand(1, 3, 32, 32)
    with pytest.raises(ValueError, match="100 tokens in front of it are too many"):
        Network(Queries(100)).activations(images, "out")
    network = Network(Queries(100), n_prefix_tokens=100, input_size=32)
    assert network.activations(images, "out").shape == (1, 8, 4, 4)
    assert receptive_field(network, "out").stride == (8, 8)
    assert Network(Queries(5)).activations(images, "out").shape == (1, 8, 4, 4)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.integers(0, 2))
def test_a_map_is_put_back_between_the_tokens_that_are_not_part_of_it(
    columns, rows, n_prefix, n_behind
):
    grid = TokenGrid(columns, rows, n_prefix)
    n_tokens = n_prefix + rows * columns + n_behind
    tokens = torch.arange(2.0 * n_tokens * 3).reshape(2, n_tokens, 3)
    maps = grid.to_map(tokens)
    assert maps.shape == (2, 3, rows, columns)
    row, column = rows - 1, columns - 1
    assert torch.equal(maps[:, :, row, column], tokens[:, n_prefix + row * columns + column])
    assert torch.equal(grid.to_tokens(maps, tokens), tokens)
    changed = grid.to_tokens(-maps - 1, tokens)
    assert torch.equal(
        (changed == tokens).all(2)[0].nonzero()[:, 0],
        torch.tensor([i for i in range(n_tokens) if not n_prefix <= i < n_prefix + rows * columns]),
    )
