from __future__ import annotations

import json
import re
import sys

from sklearn_groupcross import Network, load_network
from sklearn_groupcross.cli import main
from sklearn_groupcross.networks import list_layers
from tests.networks.modules import Patches


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def cells(line):
    return re.split(r" {2,}", line.strip())


def test_a_table_of_layers(capsys):
    assert main(["layers", "bundled"]) == 0
    title, _, header, _, *rows = lines(capsys)
    assert title == "bundled, images of 96 × 96 px"
    assert cells(header) == ["layer", "type", "channels × height × width", "stride", "field"]
    rows = {row.split()[0]: cells(row)[1:] for row in rows}
    assert list(rows) == load_network("bundled").layer_names
    assert rows["relu3"] == ["ReLU", "96 × 24 × 24", "4", "35", "the default"]
    assert rows["pool1"] == ["BlurPool", "16 × 48 × 48", "2", "7"]
    assert rows["head"] == ["Linear", "not to be read: puts out (1, 70)"]
    assert rows["local_head"] == ["Conv2d", "not to be read: is not part of its forward pass"]


def test_the_same_as_json(capsys):
    assert main(["layers", "bundled", "--input-size", "64", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["network"], found["input_size"], found["n_channels"]) == ("bundled", 64, 3)
    for told, layer in zip(found["layers"], list_layers("bundled", 64), strict=True):
        assert told["name"] == layer.name
        assert told["shape"] == (layer.shape and list(layer.shape))
        assert told["stride"] == (layer.field and list(layer.field.stride))
        assert told["field"] == (layer.field and list(layer.field.size))
        assert told["default"] == layer.is_default
        assert told["problem"] == (layer.problem or None)


def test_tokens_without_a_default(capsys, monkeypatch):
    monkeypatch.setattr(
        "sklearn_groupcross.cli._layers.load_network",
        lambda *_: Network(Patches(), input_size=48, n_channels=3),
    )
    assert main(["layers", "bundled"]) == 0
    printed = lines(capsys)
    (block,) = [line for line in printed if line.startswith("block ")]
    assert cells(block)[1:] == [
        *("Identity", "12 × 6 × 6", "8", "8"),
        "units see the whole image too",
    ]
    assert printed[-1] == "No default: name a layer with --layer."


def test_a_network_of_ones_own_and_its_mistakes(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "groupcross_layers.py").write_text(
        "from torch import nn\n"
        "from sklearn_groupcross import Network\n"
        "def build():\n"
        "    return Network(nn.Sequential(nn.Conv2d(2, 4, (3, 5))), n_channels=2, input_size=20)\n"
        "def bad():\n"
        "    return 1 / 0\n"
        "def gray():\n"
        "    return nn.Sequential(nn.Conv2d(1, 4, 3))\n"
    )
    assert main(["layers", "groupcross_layers.py:build"]) == 0
    printed = lines(capsys)
    assert printed[0] == "custom, images of 20 × 20 px of 2 channels"
    assert cells(printed[4]) == ["0", "Conv2d", "4 × 18 × 16", "1", "5 × 3"]
    for function, message in (
        ("bad", "line 6: ZeroDivisionError"),
        ("gray", "give a preprocess that makes 1 of them.*n_channels=1"),
    ):
        assert main(["layers", f"groupcross_layers.py:{function}"]) == 2
        (error,) = capsys.readouterr().err.splitlines()
        assert error.startswith("groupcross: error: ")
        assert re.search(message, error)
