"""Fields through preprocess, writes, unknown operations: derived, measured, or refused in words."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torch.utils.checkpoint
from torch import nn
from torchvision.models import ResNet18_Weights

from sklearn_groupcross import Network, OrbitDataset, receptive_field
from sklearn_groupcross.groups import Trivial
from sklearn_groupcross.networks import ReceptiveField, confirm_receptive_field
from tests.networks.modules import Of, conv, field_of, geometry


@pytest.mark.parametrize(
    ("preprocess", "offset", "size"),
    [
        (lambda x: x.flip(1) * 2 - 1, 0, 3),
        (lambda x: x[:, [2, 1, 0]].sub_(0.5), 0, 3),
        (lambda x: F.interpolate(x, size=x.shape[-2:], mode="bilinear", antialias=True), 0, 3),
        (lambda x: F.avg_pool2d(x, 3, 1, 1), 0, 5),
        (lambda x: F.pad(x, (2, 2, 2, 2)), -2, 3),
        (lambda x: F.pad(x, (6, 6, 6, 6), mode="reflect"), -6, 3),
        (lambda x: F.pad(x, (6, 6, 6, 6), mode="replicate"), -6, 3),
        (lambda x: F.pad(x, (4, 4, 4, 4))[..., 4:-4, 4:-4], 0, 3),
        (lambda x: x.double().float(), 0, 3),
    ],
)
def test_fields_pass_through_preprocess(preprocess, offset, size):
    field = receptive_field(Network(conv_net(), preprocess, input_size=32), "0")
    assert geometry(field) == ((2, 2), (offset,) * 2, (size,) * 2)
    assert field.derivation == "derived"


def conv_net(**options):
    torch.manual_seed(0)
    return nn.Sequential(conv(**options))


def test_a_preprocess_may_make_other_channels():
    for n_in, preprocess in (
        (1, lambda x: x.mean(1, keepdim=True)),
        (5, lambda x: torch.cat([x, x[:, :2]], 1)),
    ):
        network = Network(conv_net(n_in=n_in), preprocess, input_size=32)
        assert geometry(receptive_field(network, "0")) == ((2, 2), (0, 0), (3, 3))


@pytest.mark.parametrize(
    "preprocess",
    [
        ResNet18_Weights.DEFAULT.transforms(crop_size=32, resize_size=36),
        lambda x: x.flip(-1),
        lambda x: torch.roll(x, 5, 2),
        lambda x: F.pad(x[..., 4:-4, 4:-4], (4, 4, 4, 4)),
        lambda x: F.pad(x[..., 2:, :], (0, 0, 2, 0)),
        lambda x: x.rot90(1, (2, 3)),
        lambda x: F.interpolate(x[..., 2:-2, 2:-2], size=x.shape[-2:], mode="bilinear"),
    ],
)
def test_a_preprocess_that_moves_pixels_is_refused(preprocess):
    with pytest.raises(ValueError, match=r"preprocess|is wrong: gradients|No pixel reaches"):
        receptive_field(Network(conv_net(), preprocess, input_size=32), "0")


def test_the_refusal_says_what_to_write():
    for preprocess in (
        ResNet18_Weights.DEFAULT.transforms(crop_size=32, resize_size=36),
        ResNet18_Weights.DEFAULT.transforms(crop_size=24, resize_size=28),
    ):
        with pytest.raises(ValueError, match=r"write Network\.from_torchvision\(module, weights\)"):
            receptive_field(Network(conv_net(), preprocess, input_size=32), "0")


def test_circular_padding_goes_on_from_the_other_side():
    around = nn.Conv2d(8, 8, 5, padding=2, padding_mode="circular")
    field = field_of(lambda x, stem, around: around(stem(x)), conv(), around)
    assert geometry(field) == ((2, 2), (0, 0), (11, 11))
    assert field.wraps == (32, 32)
    # where the map is smaller than the image, its other side is not that of the image
    with pytest.raises(ValueError, match="circular padding behind a layer that leaves out"):
        field_of(lambda x, stem, around: around(stem(x)), conv(padding=0), around)


def _far_within(x, stem):
    x = stem(x)
    return torch.slice_scatter(x, x[..., 20:23], 3, 8, 11)


def _far_within_in_place(x, stem):
    x = stem(x)
    x[..., 8:11] = x[..., 20:23].clone()
    return x


@pytest.mark.parametrize("function", [_far_within, _far_within_in_place])
def test_what_is_written_from_far_away_within_the_image_is_no_circular_padding(function):
    with pytest.raises(ValueError, match="mixes all positions|of circular padding"):
        field_of(function, conv(1), side=48)


def test_a_wrap_is_no_excuse_for_units_within_the_image():
    def unseen(x, stem):  # in numpy, so that pixels are changed and edges not held against others
        return torch.from_numpy(_far_within(x, stem).detach().numpy())

    network = Network(Of(unseen, conv(1)), input_size=32)
    claimed = ReceptiveField((1, 1), (0, 0), (3, 3), (32, 32), 8, 32, wraps=(12, 0))
    with pytest.raises(ValueError, match=r"is wrong: .* unit \(8, 24\)"):
        confirm_receptive_field(network, "out", claimed)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, stem: stem(x) * torch.tensor([1.0, 2.0] * 4).view(1, -1, 1, 1),
        lambda x, stem: stem(x) if float(x.sum()) > 0 else x,
        lambda x, stem: stem(x) * torch.linspace(0, 1, 8, device=x.device)[:, None, None],
        lambda x, stem: torch.no_grad()(stem)(x),
        lambda x, stem: stem(x.detach()),
    ],
)
def test_forwards_that_cannot_be_traced_have_fields(function):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        field = field_of(function, conv())
    assert geometry(field) == ((2, 2), (0, 0), (3, 3))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_traced_modules_have_fields():
    torch.manual_seed(0)
    inner = nn.Sequential(conv(), nn.ReLU(), nn.MaxPool2d(2), conv(1, 0, 8)).eval()
    traced = torch.jit.trace(inner, torch.rand(1, 3, 32, 32))
    expected = receptive_field(Network(nn.Sequential(inner), input_size=32), "0")
    assert geometry(receptive_field(Network(Of(lambda x, m: m(x), traced), input_size=32), "out")) \
        == geometry(expected)  # fmt: skip


def test_a_map_is_held_against_its_field():
    class Growing(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.n_passes, self.out = conv(), 0, nn.Identity()

        def forward(self, x):
            self.n_passes += 1
            return self.out(self.conv(x if self.n_passes < 30 else F.pad(x, (1, 3, 1, 3))))

    network = Network(Growing(), input_size=32)
    orbits = OrbitDataset([np.zeros((46, 46, 3))], network=network, layer="out", group=Trivial())
    network.module.n_passes = 30
    with pytest.raises(ValueError, match="put out a map of 18 × 18 units .* for 16 × 16 units"):
        orbits.as_array()


def test_exact_readings_are_tried_on_noise():
    def to_one_size(x):
        return F.interpolate(x, size=(32, 32), mode="bilinear")

    network = Network(conv_net(), to_one_size, input_size=32)
    image = [np.zeros((46, 46, 3))]
    OrbitDataset(image, network=network, layer="0", group=Trivial())
    with pytest.raises(ValueError, match="a unit of a patch of 4 px differs"):
        OrbitDataset(image, network=network, layer="0", group=Trivial(), interpolation="exact")


def test_a_field_is_confirmed_once_for_a_network(monkeypatch):
    from sklearn_groupcross.networks import _derivation

    calls, confirm = [], _derivation.confirm_receptive_field
    monkeypatch.setattr(
        _derivation, "confirm_receptive_field", lambda *a: calls.append(a) or confirm(*a)
    )
    network = Network(nn.Sequential(conv(), nn.ReLU()), input_size=32)
    for layer in ("0", "1", "0", "1"):
        receptive_field(network, layer)
    assert len(calls) == 2
    network.module[0].stride = (1, 1)
    assert receptive_field(network, "0").stride == (1, 1)
    assert len(calls) == 3


def test_a_field_is_confirmed_once_for_a_preprocess_and_channels(monkeypatch):
    from sklearn_groupcross.networks import _derivation

    module, calls = conv_net(), []
    confirm = _derivation.confirm_receptive_field
    monkeypatch.setattr(
        _derivation, "confirm_receptive_field", lambda *a: calls.append(a) or confirm(*a)
    )
    for _ in range(2):
        weights = ResNet18_Weights.DEFAULT
        receptive_field(Network.from_torchvision(module, weights, input_size=32), "0")
    assert len(calls) == 1
    for _ in range(2):  # of others nobody knows
        receptive_field(Network(module, nn.Identity(), input_size=32), "0")
    assert len(calls) == 3

    def first_three(images):
        return images[:, :3]

    for n_channels in (3, 4, 5, 4):
        network = Network(module, first_three, n_channels=n_channels, input_size=32)
        receptive_field(network, "0")
    assert len(calls) == 6


def test_who_asks_is_warned_where_gradients_cannot_be_taken():
    class Cut(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return None

    def without_gradients(x, stem):
        x = Cut.apply(stem(x))
        return x * x.mean((2, 3), keepdim=True)

    def network():
        return Network(Of(without_gradients, conv()), input_size=32)

    images = [np.zeros((46, 46, 3))]
    for ask in (
        lambda: receptive_field(network(), "out"),
        lambda: OrbitDataset(images, network=network(), layer="out", group=Trivial()),
    ):
        with pytest.warns(UserWarning, match="could not be compared with gradients") as caught:
            ask()
        assert caught[0].filename == __file__


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.out = conv(), conv(1, 2, 8, 5)

    def forward(self, x):
        return self.out(torch.utils.checkpoint.checkpoint(self.stem, x, use_reentrant=False))


def test_types_and_states_of_the_host_change_no_field():
    def network(**options):
        return Network(Checkpointed(), input_size=32, **options)

    expected = receptive_field(network(), "out")
    assert geometry(expected) == ((2, 2), (0, 0), (11, 11))
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        converted = network()
        converted.module.to(dtype)
        assert receptive_field(converted, "out") == expected
    low = network(precision="bfloat16", channels_last=True)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        assert receptive_field(low, "out") == expected
    training, before = network(), torch.get_default_dtype()
    training.module.train()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            assert receptive_field(training, "out") == expected
    finally:
        torch.set_default_dtype(before)
    assert training.module.training
