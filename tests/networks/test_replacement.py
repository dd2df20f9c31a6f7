from __future__ import annotations

import pytest
import torch

from sklearn_groupcross import Network, load_network


@pytest.fixture
def network() -> Network:
    return load_network("bundled")


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))


def test_run_is_the_preprocessed_forward_pass(network, images):
    expected = network.module(network.preprocess(images))
    torch.testing.assert_close(network.run(images), expected, rtol=0, atol=0)


def test_a_layer_replaced_by_itself_changes_nothing(network, images):
    same = network.run_with_replacement(images, "relu2", lambda maps: maps)
    torch.testing.assert_close(same, network.run(images), rtol=0, atol=0)


def test_what_follows_reads_the_replacement(network, images):
    maps = network.activations(images, "relu3")
    changed = network.run_with_replacement(images, "relu3", lambda maps: 2 * maps.flip(0))
    torch.testing.assert_close(changed, network.module.classify(2 * maps.flip(0)))


def test_none_is_the_default_layer(network, images):
    zeros = network.run_with_replacement(images, None, torch.zeros_like)
    named = network.run_with_replacement(images, network.default_layer, torch.zeros_like)
    torch.testing.assert_close(zeros, named)
    assert (zeros - network.run(images)).abs().max() > 0.1


def test_every_branch_reads_the_replacement():
    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Identity()
            self.second = torch.nn.Identity()

        def forward(self, x):
            x = self.first(x)
            return x + self.second(x)

    images = torch.rand(1, 3, 2, 2)
    output = Network(Residual()).run_with_replacement(images, "first", lambda maps: maps + 1)
    torch.testing.assert_close(output, 2 * (images + 1))


def test_of_a_layer_that_runs_twice_the_first_output_is_replaced():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 3, 1, bias=False)
            self.conv.weight.data = 2 * torch.eye(3)[:, :, None, None]

        def forward(self, x):
            return self.conv(self.conv(x))

    network, images = Network(Twice()), torch.rand(1, 3, 2, 2)
    seen = []

    def replace(maps):
        seen.append(maps.clone())
        return torch.ones_like(maps)

    output = network.run_with_replacement(images, "conv", replace)
    torch.testing.assert_close(seen, [network.activations(images, "conv")])
    torch.testing.assert_close(output, 2 * torch.ones_like(images))


def test_an_operation_in_place_may_follow():
    module = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU(inplace=True))
    output = Network(module).run_with_replacement(
        torch.rand(2, 3, 4, 4),
        "0",
        lambda maps: torch.tensor([-1.0, 0.0, 2.0])[:, None, None].expand_as(maps),
    )
    assert output.amax(dim=(0, 2, 3)).tolist() == [0.0, 0.0, 2.0]


@pytest.mark.parametrize(
    ("replace", "got"),
    [
        (lambda maps: maps[:, :-1], r"\(3, 95, 24, 24\)"),
        (lambda maps: maps.mean(dim=(2, 3)), r"\(3, 96\)"),
        (lambda maps: maps.numpy().tolist(), "list"),
    ],
)
def test_another_shape_is_refused(network, images, replace, got):
    with pytest.raises(ValueError, match=rf"'relu3'.*\(3, 96, 24, 24\); got {got}"):
        network.run_with_replacement(images, "relu3", replace)
    assert not network.module.relu3._forward_hooks


def test_a_failed_replacement_leaves_no_hook(network, images):
    def fail(maps):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        network.run_with_replacement(images, "relu3", fail)
    assert not network.module.relu3._forward_hooks


def test_layers_that_cannot_be_replaced_are_refused(network, images):
    with pytest.raises(ValueError, match="no layer 'relu9'"):
        network.run_with_replacement(images, "relu9", torch.zeros_like)
    with pytest.raises(ValueError, match="not part of its forward pass"):
        network.run_with_replacement(images, "local_head", torch.zeros_like)
    with pytest.raises(ValueError, match=r"puts out \(3, 70\)"):
        network.run_with_replacement(images, "head", torch.zeros_like)
