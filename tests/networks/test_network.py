from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross import Network, load_network
from tests.networks.test_bvlc_googlenet import load_network_without_weights


def test_only_the_part_up_to_the_layer_is_run(small_network):
    module = small_network.module
    calls = []
    handle = module.conv2.register_forward_hook(lambda *_: calls.append(1))
    try:
        maps = small_network.activations(torch.rand(1, 3, 48, 48), "pool")
    finally:
        handle.remove()
    assert maps.shape == (1, 8, 12, 12)
    assert calls == []


def test_activations_are_those_of_the_whole_network(small_network):
    images = torch.rand(2, 3, 48, 48)
    torch.testing.assert_close(small_network.activations(images), small_network.module(images))


def test_a_failed_run_leaves_no_hook(small_network):
    with pytest.raises(ValueError, match="'conv1' reads 3 channels, and .* have 5"):
        small_network.activations(torch.rand(1, 5, 48, 48))
    assert not small_network.module.relu._forward_hooks


def test_a_network_wraps_a_module():
    with pytest.raises(TypeError, match=r"wraps a torch.nn.Module; got 'resnet18'. load_network"):
        Network("resnet18")
    module = torch.nn.Conv2d(3, 2, 1)
    with pytest.raises(ValueError, match="input_size is at least 1"):
        Network(module, input_size=-1)
    with pytest.raises(TypeError, match="input_size is a whole number; got True"):
        Network(module, input_size=True)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.rand(3, 48, 48), ValueError, r"one image being \(1, 3, .*got \(3, 48, 48\)"),
        (torch.zeros(1, 3, 48, 48, dtype=torch.uint8), TypeError, r"floating.*got torch\.uint8"),
        (np.zeros((1, 3, 48, 48), np.float32), TypeError, "torch Tensor.*got ndarray"),
    ],
)
def test_images_that_are_no_batch_are_refused(small_network, images, error, message):
    for read in (small_network.activations, small_network.run):
        with pytest.raises(error, match=message):
            read(images)


def test_layers_are_given_by_their_names(small_network):
    for layer in (3, small_network.module.relu):
        with pytest.raises(TypeError, match="A layer is given by its name"):
            small_network.activations(torch.rand(1, 3, 48, 48), [layer])


def test_a_typo_gets_the_nearest_names(small_network):
    with pytest.raises(ValueError, match=r"no layer 'conv3'. Nearest: conv"):
        small_network.check_layer("conv3")


def test_layers_that_give_no_map_are_refused():
    class Odd(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.flat = torch.nn.Flatten()
            self.pair = torch.nn.LSTM(4, 4)
            self.unused = torch.nn.ReLU()

        def forward(self, x):
            return self.pair(self.flat(x))

    network = Network(Odd())
    images = torch.rand(1, 1, 2, 2)
    with pytest.raises(ValueError, match=r"puts out \(1, 4\)"):
        network.activations(images, "flat")
    with pytest.raises(ValueError, match="puts out tuple"):
        network.activations(images, "pair")
    with pytest.raises(ValueError, match="not part of its forward pass"):
        network.activations(images, "unused")
    with pytest.raises(ValueError, match="no default layer"):
        network.activations(images)
    # the whole network may put out anything
    assert isinstance(network.run(images), tuple)


class InPlace(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 4, 3)
        self.relu = torch.nn.ReLU(inplace=True)
        self.second = torch.nn.Conv2d(4, 4, 3)
        self.third = torch.nn.Conv2d(4, 4, 3)

    def forward(self, x):
        return self.third(self.second(self.relu(self.first(x))))


def test_several_layers_in_one_pass():
    network, images = Network(InPlace(), default_layer="second"), torch.randn(2, 3, 12, 12)
    passes = []
    network.module.first.register_forward_hook(lambda *_: passes.append("first"))
    network.module.third.register_forward_hook(lambda *_: passes.append("third"))
    # in any order, the same layer twice: one pass, which ends at the last of them
    maps = network.activations(images, ["second", "first", "relu", "first"])
    assert passes == ["first"]
    assert list(maps) == ["second", "first", "relu"]
    for layer, found in maps.items():
        torch.testing.assert_close(found, network.activations(images, layer), rtol=0, atol=0)
    assert (maps["first"] < 0).any()
    assert network.activations(images, ("second",))["second"].shape == (2, 4, 8, 8)
    with pytest.raises(ValueError, match="no layer 'fourth'"):
        network.activations(images, ["first", "fourth"])
    with pytest.raises(ValueError, match="at least one layer"):
        network.activations(images, [])
    assert not network.module.second._forward_hooks


def test_one_layer_that_is_not_reached_is_named():
    module = InPlace()
    module.spare = torch.nn.Identity()
    with pytest.raises(ValueError, match="'spare' .* not part of its forward pass"):
        Network(module).activations(torch.rand(1, 3, 12, 12), ["first", "spare"])


def test_channels_last_changes_the_layout_only():
    module, images = InPlace(), torch.rand(2, 3, 20, 20)
    expected = Network(module).activations(images, "third")
    maps = Network(module, channels_last=True).activations(images, "third")
    torch.testing.assert_close(maps, expected)
    assert maps.is_contiguous(memory_format=torch.channels_last)


def test_bfloat16_is_near_float32(shared_data):
    network = load_network("bvlc_googlenet", shared_data / "bvlc_googlenet.safetensors")
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    exact = network.activations(images)
    network.precision = "bfloat16"
    rounded = network.activations(images)
    assert rounded.dtype == torch.float32
    error = ((rounded - exact).norm() / exact.norm()).item()
    assert 1e-4 < error < 2e-2  # rounded it is, and not by much
    seen = []

    def replace(maps):
        seen.append(maps.dtype)
        return maps

    logits = network.run_with_replacement(images, None, replace)
    assert seen == [torch.float32]
    expected = network.run(images)  # whose maps may lie in memory otherwise, for other kernels
    assert (logits - expected).norm() < 2e-2 * expected.norm()
    with pytest.raises(
        ValueError, match="precision is one of float32, tf32, bfloat16, auto; got 'float16'"
    ):
        Network(network.module, precision="float16")


def test_a_replacement_is_not_written_to():
    network = load_network_without_weights()
    images, kept = torch.rand(1, 3, 64, 64), torch.randn(1, 192, 16, 16)
    before = kept.clone()
    network.run_with_replacement(images, "conv2_3x3", lambda maps: kept)
    torch.testing.assert_close(kept, before, rtol=0, atol=0)


def test_each_layer_is_read_as_far_as_it_can_be():
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(7, 2), torch.nn.ReLU()
    )
    network, images = Network(module), torch.rand(1, 3, 8, 8)
    read = network.read_each(images, ["0", "1", "3"])
    assert torch.equal(read["0"], network.activations(images, "0"))
    assert "puts out (1, 144)" in str(read["1"])
    assert "The forward pass fails before it: mat1 and mat2" in str(read["3"]).replace(
        "Network 'custom' cannot read these images: a linear layer", "mat1 and mat2"
    )
    with pytest.raises(ValueError, match="reads 3 channels"):
        network.read_each(torch.rand(1, 5, 8, 8), ["0", "1"])
    assert not any(part._forward_hooks for part in module.modules())


def test_gradients_flow_whatever_torch_is_set_to(small_network):
    images = torch.rand(2, 3, 48, 48, requires_grad=True)
    expected = small_network.activations(images)
    with torch.no_grad():
        maps = small_network.activations_with_gradients(images)
    assert torch.equal(maps, expected)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(maps[0].sum(), images)
    assert gradient[0].any()
    assert not gradient[1].any()
    assert all(parameter.grad is None for parameter in small_network.module.parameters())


def test_activations_without_gradients_are_refused(small_network):
    images = torch.rand(1, 3, 48, 48)
    with pytest.raises(ValueError, match="what the images given put in has none"):
        small_network.activations_with_gradients(images)

    class Detaches(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.out = torch.nn.Identity()

        def forward(self, x):
            return self.out(x.detach())

    with pytest.raises(ValueError, match="Layer 'out' .* without gradients"):
        Network(Detaches()).activations_with_gradients(images.requires_grad_(), "out")
    layers = torch.nn.Sequential(torch.nn.Identity())
    rounding = Network(layers, lambda x: x.mul(255).byte().float(), name="rounds")
    with pytest.raises(ValueError, match="'rounds' has no gradients: what the preprocess put in"):
        rounding.activations_with_gradients(images, "0")
