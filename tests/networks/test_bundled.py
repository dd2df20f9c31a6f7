import math
from functools import partial
from importlib import resources

import pytest
import torch
from safetensors import safe_open

from sklearn_groupcross.networks import train_bundled
from sklearn_groupcross.networks.bundled import (
    POSE_BINS,
    BlurPool,
    BundledNet,
    kind_logits,
    load_bundled,
    pose_targets,
    preprocess_bundled,
)
from sklearn_groupcross.networks.shapes import KINDS, PERIODS, draw_shapes

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


def test_names_shapes_it_has_not_seen(net):
    scores = train_bundled.held_out_accuracy(net, seed=77, n=512)
    assert scores["kind"] > 0.85
    assert scores["angle"] > 0.85
    assert scores["local_kind"] > 0.85
    assert scores["local_angle"] > 0.9


def test_untrained_network_does_not():
    scores = train_bundled.held_out_accuracy(BundledNet(), seed=77, n=256)
    assert scores["kind"] < 0.4


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


def test_preprocess_centres_mid_grey():
    assert (preprocess_bundled(torch.full((1, 3, 2, 2), 0.5)) == 0).all()


def test_blur_pool_keeps_a_constant_and_its_place():
    assert torch.allclose(BlurPool(2)(torch.ones(1, 2, 9, 9))[..., 1:-1, 1:-1], torch.ones(()))
    point = torch.zeros(1, 1, 9, 9)
    point[..., 4, 4] = 1
    assert BlurPool(1)(point).flatten().argmax() == 12  # unit (2, 2) of 5 × 5


def test_pose_targets_follow_the_period_of_the_kind():
    angles = 2 * math.pi * torch.rand(200, generator=_generator(), dtype=torch.float64)
    kinds = torch.arange(200) % len(KINDS)
    targets = pose_targets(kinds, angles)
    assert torch.allclose(targets.sum(1), torch.ones(200, dtype=torch.float64))
    assert torch.equal(kind_logits(targets.log()).argmax(1), kinds)
    periods = torch.tensor([PERIODS[KINDS[k]] or 1.0 for k in kinds.tolist()], dtype=torch.float64)
    assert torch.allclose(pose_targets(kinds, angles + periods), targets)
    line = kinds == KINDS.index("line")
    assert not torch.allclose(pose_targets(kinds, angles + periods / 2)[line], targets[line])


def test_script_writes_a_loadable_file(tmp_path, capsys, monkeypatch):
    quick = partial(train_bundled.held_out_accuracy, n=64)
    monkeypatch.setattr(train_bundled, "held_out_accuracy", quick)
    out = tmp_path / "net.safetensors"
    assert train_bundled.main(["--out", str(out), "--steps", "2", "--seed", "3"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]
    with safe_open(out, "pt") as file:
        assert file.metadata()["steps"] == "2"
        assert file.metadata()["seed"] == "3"
        BundledNet().load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    assert "held_out_kind" in capsys.readouterr().out


def test_training_repeats_and_depends_on_the_seed():
    first, again, other = (train_bundled.train(2, seed, batch_size=8) for seed in (1, 1, 2))
    assert torch.equal(first.conv3.weight, again.conv3.weight)
    assert not torch.equal(first.conv3.weight, other.conv3.weight)


def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    out = tmp_path / "net.safetensors"
    out.write_bytes(b"old")

    def cut_short(path, data):
        with path.open("wb") as file:
            file.write(data[:100])
        raise OSError("disk full")

    monkeypatch.setattr(type(out), "write_bytes", cut_short)
    with pytest.raises(OSError, match="disk full"):
        train_bundled.save_weights(BundledNet(), out, {})
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


@pytest.mark.parametrize("arguments", [["--steps", "0"], ["--out", "no/such/folder/x"]])
def test_bad_arguments_end_before_training(arguments, tmp_path, capsys):
    with pytest.raises(SystemExit):
        train_bundled.main(["--out", str(tmp_path / "x"), *arguments])
    assert "--" in capsys.readouterr().err
