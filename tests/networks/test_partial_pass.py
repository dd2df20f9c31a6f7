"""Parts of maps are those of whole maps, however the module is made."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import mobilenet_v3_small, resnet18

from sklearn_groupcross import Network, load_network, receptive_field
from sklearn_groupcross.networks import Window
from sklearn_groupcross.networks._bvlc_googlenet import BVLCGoogLeNet
from sklearn_groupcross.networks._inceptionv1 import InceptionV1
from sklearn_groupcross.networks._partial_pass import PartialPasses

SIDE = 64


class Residual(nn.Module):
    """Sums of what has passed through convolutions and what has not, in place and anew."""

    def __init__(self, n=6, *, inplace=True):
        super().__init__()
        self.inplace = inplace
        self.first = nn.Conv2d(3, n, 5, stride=2, padding=2)
        self.norm = nn.BatchNorm2d(n)
        self.act = nn.ReLU(inplace=inplace)
        self.second = nn.Conv2d(n, n, 3, padding=1)
        self.pool = nn.AvgPool2d(3, stride=2, padding=1)
        self.last = nn.Conv2d(2 * n, n, 3, padding=2, dilation=2)

    def forward(self, x):
        x = self.act(self.norm(self.first(x)))
        y = self.second(x)
        x = self.act(y.add_(x)) if self.inplace else self.act(y + x)
        return self.last(torch.cat([self.pool(x), F.max_pool2d(x, 2)], 1))


class Sums(nn.Module):
    """Reads a map before and after it is written to, at places of several distances."""

    def __init__(self):
        super().__init__()
        self.near, self.far = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 9, padding=4)
        self.last = nn.Conv2d(4, 4, 5, padding=2)

    def forward(self, x):
        x = self.near(x)
        before = self.far(x)
        x += before
        x.relu_()
        return self.last(x) * torch.sigmoid(x.mean((2, 3), keepdim=True)) + self.far(x)


class Place(nn.Module):
    """Adds a number of each place of its own."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.place = nn.Parameter(torch.randn(1, 4, SIDE, SIDE))
        self.last = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return self.last(self.conv(x) + self.place)


def made(make):
    torch.manual_seed(0)
    module = make().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.2, 0.2)
    return module


def window_of(network, layer, radius, size=SIDE):
    return Window.within(receptive_field(network, layer, size), radius)


def read_both(network, layer, window, n=3):
    images = torch.rand(
        n, 3, window.field.input_size, window.field.input_size, generator=torch.Generator()
    )
    whole = window.cut(network.activations(images, layer))
    part = network.activations_within(images, {layer: window})[layer]
    (plan,) = network._passes._plans.values()
    return whole, part, plan


@pytest.mark.parametrize("radius", [0, 5, 14])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("make", [Residual, Sums, Place], ids=lambda make: make.__name__)
def test_parts_are_those_of_whole_maps(make, channels_last, radius):
    network = Network(made(make), channels_last=channels_last, input_size=SIDE)
    layer = "last"
    window = window_of(network, layer, radius) if make is not Sums else None
    if window is None:  # behind gates that see the whole image
        window = window_of(network, "near", radius)
        layer = "far"
    whole, part, plan = read_both(network, layer, window)
    assert plan is not None
    assert part.shape == whole.shape
    torch.testing.assert_close(part, whole)


def test_more_than_the_padding_is_left_out_where_little_is_wanted():
    network = Network(made(Residual), input_size=SIDE)
    _, _, plan = read_both(network, "last", window_of(network, "last", 0))
    sizes = [plan.sizes[step.outputs[0]] for step in plan.steps]
    parts = [plan.part_of(step) for step in plan.steps]
    (first, *_), (size, *_) = parts, sizes
    rows, columns = ((stop - start) for start, stop in first)
    assert size == (32, 32)
    assert rows == columns <= 15


def test_units_at_the_border_see_their_padding():
    network = Network(made(lambda: Residual(inplace=False)), input_size=SIDE)
    window = window_of(network, "last", SIDE)
    assert window.columns == range(16)
    corner = Window(window.field, range(3), range(2, 5))
    whole, part, _ = read_both(network, "last", corner)
    torch.testing.assert_close(part, whole)


@pytest.mark.parametrize(
    ("make", "layer", "size"),
    [
        (BVLCGoogLeNet, "inception_3b_output", 224),
        (InceptionV1, "mixed3b", 224),
        (resnet18, "layer2", 224),
        (mobilenet_v3_small, "features.3", 224),
    ],
)
def test_networks_of_others(make, layer, size):
    network = Network(made(make), channels_last=True)
    window = window_of(network, layer, 20, size)
    whole, part, plan = read_both(network, layer, window, n=1)
    assert plan is not None
    torch.testing.assert_close(part, whole, rtol=1e-4, atol=1e-4 * float(whole.abs().max()))


def test_several_layers_share_a_pass_and_nodes_are_read():
    network = load_network("bundled")
    windows = {name: window_of(network, name, 6, 96) for name in ("relu2", "relu3")}
    images = torch.rand(2, 3, 96, 96, generator=torch.Generator())
    parts = network.activations_within(images, windows)
    for name, maps in network.activations(images, list(windows)).items():
        torch.testing.assert_close(parts[name], windows[name].cut(maps))
    node = next(name for name in network.node_names if name.endswith("conv2d"))
    window = window_of(network, node, 6, 96)
    part = network.activations_within(images, {node: window})[node]
    torch.testing.assert_close(part, window.cut(network.activations(images, node)))


class Squared(torch.autograd.Function):
    """A function of one's own, which no mode of torch sees from within."""

    @staticmethod
    def forward(ctx, x):
        return x**2 + x.mean()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Looking(nn.Module):
    """Does something to its map that no rule is known for."""

    def __init__(self, look):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.look = look

    def forward(self, x):
        return self.last(self.look(self.first(x)))


@pytest.mark.parametrize(
    "look",
    [
        lambda x: x.flip(-1),
        lambda x: x * x.shape[-1],
        lambda x: x + torch.linspace(0, 1, x.shape[-1]),
        lambda x: x - x.mean(),
        lambda x: x[:, :, 1:, 1:],
        lambda x: torch.from_numpy(x.detach().numpy() * 2),
        lambda x: F.conv2d(x, x[:1, :, :3, :3].repeat(4, 1, 1, 1), padding=1),
        lambda x: x.index_fill_(3, torch.tensor([30]), 1.0),
        lambda x: Squared.apply(x),
    ],
)
def test_what_is_not_known_is_computed_as_a_whole(look):
    torch.manual_seed(0)
    network = Network(Looking(look).eval(), input_size=SIDE)
    plain = Network(Looking(nn.Identity()).eval(), input_size=SIDE)
    window = Window.within(receptive_field(plain, "last", SIDE), 9)
    images = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator())
    whole = network.activations(images, "last")
    if whole.shape[-1] != SIDE:
        with pytest.raises(ValueError, match="put out a map of 63"):
            network.activations_within(images, {"last": window})
        return
    part = network.activations_within(images, {"last": window})["last"]
    torch.testing.assert_close(part, window.cut(whole))


class Changing(nn.Module):
    """Does more to every image after the first."""

    def __init__(self):
        super().__init__()
        self.n_seen = 0
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        self.n_seen += 1
        x = self.first(x)
        return self.last(x if self.n_seen < 9 else x.relu())


def test_a_module_that_changes_is_read_as_a_whole():
    network = Network(made(Changing), input_size=SIDE)
    window = window_of(network, "last", 9)
    network.module.n_seen = 0
    images = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator())
    network.activations_within(images, {"last": window})
    (plan,) = network._passes._plans.values()
    assert plan is not None
    network.module.n_seen = 100
    part = network.activations_within(images, {"last": window})["last"]
    torch.testing.assert_close(part, window.cut(network.activations(images, "last")))
    assert list(network._passes._plans.values()) == [None]
    # other numbers of the same operation are noticed too
    network = Network(made(Residual), input_size=SIDE)
    window = window_of(network, "last", 5)
    network.activations_within(images, {"last": window})
    network.module.second.padding, network.module.second.dilation = (2, 2), (2, 2)
    part = network.activations_within(images, {"last": window})["last"]
    torch.testing.assert_close(part, window.cut(network.activations(images, "last")))


def test_a_plan_that_comes_to_something_else_is_not_used():
    network = Network(made(Residual), input_size=SIDE)
    window = window_of(network, "last", 5)
    n_passes = []

    def read(inputs):
        n_passes.append(len(inputs))
        return {"last": network.module(inputs) + len(n_passes)}

    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator())
    with torch.no_grad():
        assert PartialPasses().read(read, images, {"last": window}) is None
    assert n_passes == [1, 1]


def test_plans_stay_at_home_when_a_network_travels():
    network = Network(made(Residual), input_size=SIDE)
    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator())
    window = window_of(network, "last", 5)
    part = network.activations_within(images, {"last": window})["last"]
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert not other._passes._plans
        assert torch.equal(other.activations_within(images, {"last": window})["last"], part)
