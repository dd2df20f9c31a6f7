import math
from functools import partial

import pytest
import torch
from safetensors import safe_open

from sklearn_groupcross.networks.bundled import SHAPE_PERIODS, BundledNet, load_bundled
from tools import train_bundled
from tools.shapes import SHAPES
from tools.train_bundled import kind_logits, pose_targets


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_network_names_shapes_it_has_not_seen():
    scores = train_bundled.held_out_accuracy(load_bundled(), seed=77, n=512)
    assert scores["kind"] > 0.85
    assert scores["angle"] > 0.85
    assert scores["local_kind"] > 0.85
    assert scores["local_angle"] > 0.9


def test_an_untrained_network_does_not():
    scores = train_bundled.held_out_accuracy(BundledNet(), seed=77, n=256)
    assert scores["kind"] < 0.4


def test_pose_targets_follow_the_period_of_the_kind():
    angles = 2 * math.pi * torch.rand(200, generator=_generator(), dtype=torch.float64)
    kinds = torch.arange(200) % len(SHAPES)
    targets = pose_targets(kinds, angles)
    assert torch.allclose(targets.sum(1), torch.ones(200, dtype=torch.float64))
    assert torch.equal(kind_logits(targets.log()).argmax(1), kinds)
    periods = torch.tensor(
        [period or 1.0 for period in SHAPE_PERIODS.values()], dtype=torch.float64
    )
    periods = periods[kinds]
    assert torch.allclose(pose_targets(kinds, angles + periods), targets)
    line = kinds == SHAPES.index("line")
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
