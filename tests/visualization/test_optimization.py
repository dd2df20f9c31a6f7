from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_groupcross import Network, receptive_field
from sklearn_groupcross.visualization._optimization import optimize
from sklearn_groupcross.visualization._targets import Targets
from sklearn_groupcross.visualization._window import find_window


def channel(i, n_channels=4):
    """The pre-activation that is channel i."""
    weights = torch.eye(n_channels, dtype=torch.float64)[[i]]
    zeros = torch.zeros_like(weights)
    return Targets(weights, zeros, zeros[:, 0], torch.zeros(1, dtype=torch.bool))


def run(module, n_channels=3, targets=None, n_steps=30, preprocess=None, **options):
    network = Network(module, preprocess, input_size=32, n_channels=n_channels, **options)
    field = receptive_field(network, "out", confirm=False)
    window = find_window(network, "out", field)
    steps = []
    images = optimize(
        network,
        window,
        channel(1) if targets is None else targets,
        n_steps=n_steps,
        learning_rate=0.05,
        seed=0,
        advance=steps.append,
    )
    assert steps == [1] * n_steps
    return images


class Net(nn.Module):
    def __init__(self, change=lambda x: x, n_channels=3):
        super().__init__()
        self.conv, self.out, self.change = nn.Conv2d(n_channels, 4, 9), nn.Identity(), change
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            self.conv.weight.normal_(generator=generator)
            self.conv.bias.zero_()

    def forward(self, x):
        return self.out(self.change(self.conv(x)))


@pytest.mark.parametrize("n_channels", [1, 3, 5])
def test_the_picture_of_a_filter_is_the_filter(n_channels):
    net = Net(n_channels=n_channels)
    images = run(net, n_channels, n_steps=80).double() - 0.5
    wanted = net.conv.weight[1].detach().double()
    # low frequencies come first, and the picture wobbles: a cosine of 1 is not to be had
    cosine = torch.cosine_similarity(images.flatten(), wanted.flatten(), dim=0)
    others = [
        float(torch.cosine_similarity(images.flatten(), w.detach().double().flatten(), dim=0))
        for i, w in enumerate(net.conv.weight)
        if i != 1
    ]
    assert cosine > 0.2
    assert cosine > 2 * max(map(abs, others))


def test_weights_gradients_and_modes_stay_as_they_are():
    net = Net().train()
    before = net.conv.weight.detach().clone()
    net.conv.bias.requires_grad_(False)
    run(net, n_steps=3)
    assert torch.equal(net.conv.weight, before)
    assert net.conv.weight.grad is None
    assert net.conv.weight.requires_grad
    assert not net.conv.bias.requires_grad
    assert net.training
    assert net.out.training


class NoGrad(Net):
    def forward(self, x):
        with torch.no_grad():
            return self.out(self.conv(x))


class FirstPartNoGrad(Net):
    """What comes out requires gradients, of the second layer's weights."""

    def __init__(self):
        super().__init__()
        self.second = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        with torch.no_grad():
            x = self.conv(x)
        return self.out(self.second(x))


class NoWayBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise RuntimeError("there is no way back")


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (NoGrad(), {}, "Layer 'out' of network 'custom' puts out activations without gradients"),
        (Net(torch.Tensor.detach), {}, "without gradients"),
        (FirstPartNoGrad(), {}, "The gradient of layer 'out' .* by the image is missing"),
        (Net(torch.round), {}, "The gradient of layer 'out' .* is zero: .*rounds it"),
        (Net(NoWayBack.apply), {}, "has no gradient, .* there is no way back"),
        (Net(), {"preprocess": lambda x: (x * 255).byte().float()}, "what the preprocess put in"),
        (Net(lambda x: x * float("nan")), {}, "is not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*gradients")
def test_what_cannot_be_differentiated_is_refused(module, options, message):
    with pytest.raises(ValueError, match=message):
        run(module, **options)


def test_a_picture_does_not_depend_on_the_others():
    net = Net()
    network = Network(net, input_size=32)
    window = find_window(network, "out")
    options = {"n_steps": 5, "learning_rate": 0.05, "seed": 0, "advance": len_of}
    single = [channel(i) for i in (0, 2)]
    pairs = zip(*(vars(target).values() for target in single), strict=True)
    both = Targets(*map(torch.cat, pairs))
    together = optimize(network, window, both, **options)
    for i, one in enumerate(single):
        alone = optimize(network, window, one, **options)
        np.testing.assert_allclose(together[[i]], alone, rtol=0, atol=1e-4)


def len_of(n):
    return n
