"""Fields through preprocess, writes, unknown operations: derived, measured, or refused in words."""

from __future__ import annotations

import copy
import gc
import types
import warnings
import weakref

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


class Of(nn.Module):
    """A function of an image and a few modules, as a layer."""

    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts, self.out = function, nn.ModuleList(parts), nn.Identity()

    def forward(self, x):
        return self.out(self.function(x, *self.parts))


def field_of(function, *parts, side=32, **options):
    torch.manual_seed(0)
    return receptive_field(Network(Of(function, *parts), input_size=side, **options), "out")


def conv(stride=2, padding=1, n_in=3, kernel=3):
    return nn.Conv2d(n_in, 8, kernel, stride=stride, padding=padding)


def geometry(field):
    return field.stride, field.offset, field.size


# preprocess


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


# writes, slices, indices


def _partial(x, stem, inner):
    x = stem(x)
    x[:, :4] = inner(x[:, :4])
    return x


def _by_index(x, stem, inner):
    x = stem(x)
    moved = torch.zeros_like(x)
    moved[:, [0, 3]] = x[:, [1, 2]]
    moved[:, 4:] = inner(x)[:, 4:]
    return moved


def _in_parts(x, stem):
    x = stem(x)
    head, tail = x.chunk(2, 1)
    head.add_(F.pad(tail, (1, 1, 1, 1))[:, :, 2:, 2:])
    return x


def _two_views(x, stem, inner):
    x = stem(x)
    seen = x[:, :4]
    x.add_(inner(x))  # what was taken before shows it
    return seen


@pytest.mark.parametrize(
    ("field", "offset", "size"),
    [
        (lambda: field_of(_partial, conv(), nn.Conv2d(4, 4, 3, padding=1)), 0, 7),
        (lambda: field_of(_by_index, conv(), conv(1, 2, 8, 5)), 0, 11),
        (lambda: field_of(_in_parts, conv()), 1, 5),
        (lambda: field_of(_two_views, conv(), conv(1, 1, 8)), 0, 7),
        (lambda: field_of(lambda x, c: torch.stack([c(x), c(x)], -1).mean(-1), conv()), 0, 3),
        (
            lambda: field_of(
                lambda x, c: (
                    torch.slice_scatter(c(x), c(x)[:, :2, 1:], 1, 0, 2)
                    if False
                    else torch.slice_scatter(c(x), F.pad(c(x)[:, :2, :-1], (0, 0, 1, 0)), 1, 0, 2)
                ),
                conv(),
            ),
            (0, -1),
            (3, 5),
        ),
    ],
)
def test_writes_to_parts_reach_the_whole(field, offset, size):
    found = field()
    offset, size = (v if isinstance(v, tuple) else (v, v) for v in (offset, size))
    assert geometry(found) == ((2, 2), offset, size)
    assert found.derivation == "derived"


def test_exact_readings_of_a_partial_convolution_are_those_of_the_map():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=4), Of(_partial, nn.Identity(), nn.Conv2d(4, 4, 3, padding=1))
    )
    network = Network(module, input_size=32)
    image = np.random.default_rng(0).random((46, 46, 3))
    orbits = OrbitDataset(
        [image], network=network, layer="1.out", group=Trivial(), sampling="grid",
        interpolation="exact",
    )  # fmt: skip
    values, units = orbits.as_array()[:, 0], orbits.field.to_units(orbits.positions_).round().long()
    edge = (orbits.source_size - 32) // 2
    cut = orbits.images.load(0, orbits.source_size)[None, :, edge : edge + 32, edge : edge + 32]
    maps = network.activations(cut, "1.out")[0]
    inner = ((units > 1) & (units < 6)).all(1)
    expected = maps[:, units[inner, 1], units[inner, 0]].T.numpy()
    assert inner.sum() > 3
    np.testing.assert_allclose(values[inner.numpy()], expected, rtol=1e-4, atol=1e-5)


# maps that are finer, and borders that go on


@pytest.mark.parametrize(
    ("finer", "size"),
    [
        (nn.Upsample(scale_factor=2), 4),
        (nn.Upsample(scale_factor=2, mode="bilinear"), 6),
        (nn.ConvTranspose2d(8, 8, 4, 2, 1), 6),
        (nn.Sequential(nn.Conv2d(8, 8, 1), nn.PixelShuffle(2)), 4),
    ],
)
def test_units_may_be_finer_than_before(finer, size):
    field = field_of(lambda x, stem, finer: finer(stem(x)), conv(), finer)
    assert geometry(field) == ((1, 1), (-0.5, -0.5), (size, size))
    assert field.repeats == (2, 2)
    with pytest.raises(ValueError, match="2 neighbouring units look at different parts"):
        OrbitDataset(
            [np.zeros((46, 46, 3))], network=Network(Of(
                lambda x, stem, finer: finer(stem(x)), conv(), finer), input_size=32),
            layer="out", group=Trivial(), interpolation="exact",
        )  # fmt: skip


def test_circular_padding_goes_on_from_the_other_side():
    around = nn.Conv2d(8, 8, 5, padding=2, padding_mode="circular")
    field = field_of(lambda x, stem, around: around(stem(x)), conv(), around)
    assert geometry(field) == ((2, 2), (0, 0), (11, 11))
    assert field.wraps == (32, 32)
    # where the map is smaller than the image, its other side is not that of the image
    with pytest.raises(ValueError, match="circular padding behind a layer that leaves out"):
        field_of(lambda x, stem, around: around(stem(x)), conv(padding=0), around)


# what is measured


def _row_by_row(x, stem):
    x = stem(x)
    x[:, :, 3] = x[:, :, 5]
    return x


def _scattered(x, stem):
    x = stem(x)
    columns = (torch.arange(x.shape[3]) + 1).clamp(max=x.shape[3] - 1)
    return torch.zeros_like(x).scatter(3, columns.expand_as(x), x)


@pytest.mark.parametrize(
    ("function", "parts", "expected"),
    [
        (lambda x: F.unfold(x, 4, stride=4).unflatten(2, (8, 8)), (), ((4, 4), (1.5, 1.5), (4, 4))),
        (
            lambda x, stem: stem(F.interpolate(x, scale_factor=0.5, mode="area")),
            (conv(1),),
            ((2, 2), (0.5, 0.5), (6, 6)),
        ),
        (
            lambda x, stem: stem(x).repeat_interleave(2, 2).repeat_interleave(2, 3),
            (conv(),),
            ((1, 1), (-0.5, -0.5), (4, 4)),
        ),
        # numpy has no gradients: pixels are changed one column after another
        (
            lambda x, stem: torch.from_numpy(np.tanh(stem(x).detach().numpy())),
            (conv(),),
            ((2, 2), (0, 0), (3, 3)),
        ),
    ],
)
def test_fields_are_measured_where_operations_are_not_known(function, parts, expected):
    field = field_of(function, *parts)
    assert geometry(field) == expected
    # areas are known as pools; all others are not
    assert field.derivation == ("derived" if expected[2] == (6, 6) else "measured")
    assert f"derivation='{field.derivation}'" in repr(field)


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
    ("function", "operation"),
    [
        (_scattered, "scatter"),
        (_row_by_row, "select"),
        (lambda x, stem: torch.from_numpy(np.roll(stem(x).detach().numpy(), 1, 3)), "not see"),
        (lambda x, stem: torch.cat([stem(half) for half in x.chunk(2, 2)], 2), "split"),
        (lambda x, stem: torch.fft.irfft2(torch.fft.rfft2(stem(x))), "fft"),
    ],
)
def test_what_lies_on_no_grid_is_refused(function, operation):
    with pytest.raises(ValueError, match=f"{operation}.* mixes all positions. Measured by"):
        field_of(function, conv())


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


@pytest.mark.parametrize(
    "norm",
    [
        nn.utils.parametrizations.spectral_norm,
        nn.utils.parametrizations.weight_norm,
        lambda part: nn.init.zeros_(part.weight) is None or part,
    ],
)
def test_weights_of_any_make_are_seen_through(norm):
    torch.manual_seed(0)
    parts = [norm(conv(1)), nn.ReLU(), norm(conv(1, 1, 8)), nn.ReLU()]
    network = Network(nn.Sequential(*parts), input_size=16)
    assert geometry(receptive_field(network, "3")) == ((1, 1), (0, 0), (5, 5))


def test_columns_are_not_taken_for_rows():
    with pytest.raises(ValueError, match="its channels not before its rows and columns"):
        field_of(lambda x, stem: torch.einsum("nchw->ncwh", stem(x)), conv())

    def turned(x, stem):
        return torch.from_numpy(stem(x).detach().numpy().transpose(0, 1, 3, 2).copy())

    with pytest.raises(ValueError, match="do not lie"):
        field_of(turned, conv())


# tokens and maps


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


def test_what_was_measured_holds_for_those_weights():
    module = Of(lambda x, c: c(x).repeat_interleave(2, 2).repeat_interleave(2, 3), conv())
    weight, whole = module.parts[0].weight, copy.deepcopy(module.state_dict())

    def size():
        return receptive_field(Network(module, input_size=32), "out").size

    with torch.no_grad():
        weight.zero_()
        weight[:, :, 1, 1] = 1
    assert size() == (2, 2)
    weight.data[:, :, 1] = 1  # as torch does not count it
    assert size() == (4, 2)
    module.load_state_dict(whole)
    assert size() == (4, 4)


def test_what_was_measured_keeps_no_module_alive():
    for preprocess in (lambda module: lambda x: x + 0 * module[0].bias.sum(), lambda m: m.scaled):
        module = nn.Sequential(conv())
        module.scaled = types.MethodType(lambda self, x: x / len(self), module)
        receptive_field(Network(module, preprocess(module), input_size=32), "0")
        alive = weakref.ref(module)
        del module
        gc.collect()
        assert alive() is None


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
