import math
from importlib import resources

import pytest
import torch
from safetensors import safe_open

from sklearn_groupcross.networks.bundled import (
    POSE_BINS,
    BlurPool,
    BundledNet,
    load_bundled,
    preprocess_bundled,
)
from tools.shapes import draw_shapes

TURNS = (0, 1, 4, 8)  # multiples of 22.5°
WEIGHTS = resources.files("sklearn_groupcross.networks") / "weights" / "bundled.safetensors"


@pytest.fixture(scope="module")
def net():
    return load_bundled()


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _activations(net, layer, images):
    seen = []
    hook = net.get_submodule(layer).register_forward_hook(lambda *args: seen.append(args[2]))
    net(preprocess_bundled(images))
    hook.remove()
    return seen[0]


def test_weights_fit_in_a_megabyte_and_say_where_they_come_from():
    assert len(WEIGHTS.read_bytes()) <= 1_000_000
    with resources.as_file(WEIGHTS) as path, safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert {"seed", "steps", "version", "held_out_kind", "held_out_local_kind"} <= set(metadata)


def test_loaded_network_is_frozen(net):
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())


@pytest.mark.parametrize(
    ("layer", "channels", "stride", "field"),
    [("relu1", 16, 1, 5), ("relu2", 48, 2, 15), ("relu3", 96, 4, 35), ("relu4", 96, 8, 59)],
)
def test_geometry_is_as_documented(net, layer, channels, stride, field):
    images = torch.full((1, 3, 97, 97), 0.4).requires_grad_()
    seen = []
    # a linear stand-in: positive weights, so that no ReLU hides part of the field
    linear = BundledNet()
    for parameter in linear.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    hook = linear.get_submodule(layer).register_forward_hook(lambda *args: seen.append(args[2]))
    linear(images)
    hook.remove()
    unit = 48 // stride
    assert seen[0].shape == (1, channels, math.ceil(97 / stride), math.ceil(97 / stride))
    seen[0][0, 0, unit, unit].backward()
    rows = images.grad[0].abs().sum((0, 2)).nonzero()[:, 0]
    assert rows[-1] - rows[0] + 1 == field
    assert (rows[-1] + rows[0]) / 2 == stride * unit


def test_default_layer_is_after_the_nonlinearity(net):
    images = draw_shapes(4, 49, _generator()).images
    seen = _activations(net, BundledNet.default_layer, images)
    assert (seen >= 0).all()
    assert (seen == 0).any()
    assert torch.equal(seen, net.features(preprocess_bundled(images)))


@pytest.mark.parametrize("size", [(64, 64), (97, 65), (50, 81)])
def test_any_size_will_do(net, size):
    assert net(torch.zeros(2, 3, *size)).shape == (2, sum(POSE_BINS))


def _profile(net, kind, size=73):
    """Cosine over shapes of each unit's answers before and after turns: (units, len(TURNS))."""
    answers = []
    for turn in TURNS:
        angles = torch.linspace(0, 2 * math.pi, 49)[:48] + turn * math.pi / 8
        images = draw_shapes(48, size, _generator(5), [kind], angles=angles, jitter=0.0).images
        features = net.features(preprocess_bundled(images))
        answers.append(features[:, :, size // 8, size // 8])
    base = answers[0]
    norms = torch.stack([a.norm(dim=0) for a in answers]).clamp(min=1e-6)
    profile = torch.stack([(base * a).sum(0) for a in answers]) / (norms * norms[0])
    return profile.T[base.norm(dim=0) > 0.1]


def test_some_units_come_back_after_half_a_turn_and_some_do_not(net):
    lines, edges = _profile(net, "line"), _profile(net, "edge")
    _, _, quarter, half = lines.T
    assert ((half > 0.8) & (quarter < 0.3)).sum() >= 3
    _, next_bin, _, half = edges.T
    assert ((half < 0.2) & (next_bin > 0.4)).sum() >= 3


def test_preprocess_centers_mid_gray():
    assert (preprocess_bundled(torch.full((1, 3, 2, 2), 0.5)) == 0).all()


def test_blur_pool_keeps_a_constant_and_its_place():
    assert torch.allclose(BlurPool(2)(torch.ones(1, 2, 9, 9))[..., 1:-1, 1:-1], torch.ones(()))
    point = torch.zeros(1, 1, 9, 9)
    point[..., 4, 4] = 1
    assert BlurPool(1)(point).flatten().argmax() == 12  # unit (2, 2) of 5 × 5
