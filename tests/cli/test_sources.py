"""Folders with damaged images, and images that are no photographs."""

from __future__ import annotations

import os
import sys
from argparse import Namespace

import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross import OrbitStore, load_network
from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._sources import draw_images, say_damaged

DAMAGED = ["0007.png", "0100.png", "0101.png", "0555.png", "1234.png", "1500.png", "1999.png"]
CODE = """
from torch import nn
from sklearn_groupcross import Network
def build(n_channels=3):
    module = nn.Sequential(nn.Conv2d(n_channels, 2, 3, stride=2), nn.ReLU())
    return Network(module, n_channels=n_channels, input_size=12, default_layer="1", name="tiny")
def five():
    return build(5)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "groupcross_tiny.py").write_text(CODE)
    return tmp_path


@pytest.fixture
def photographs(place):
    """2,000 small images, seven of them damaged, each in its way."""
    folder = place / "photographs"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (2000, 12, 12, 3), dtype=np.uint8)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:04}.png", compress_level=0)
    whole = (folder / DAMAGED[0]).read_bytes()
    for name, content in zip(
        DAMAGED,
        (whole[:300], b"", b"text", whole[:8], b"%!PS-Adobe-3.0 EPSF-3.0\n", bytes(500)),
        strict=False,
    ):
        (folder / name).write_bytes(content)
    Image.new("RGB", (2, 2)).save(folder / DAMAGED[-1])
    for name in (".DS_Store", "._0000.png", "Thumbs.db", "desktop.ini"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    return folder


def extract(images, out, *more, network="build"):
    command = ["extract", str(images), "--network", f"groupcross_tiny.py:{network}"]
    command += ["--group", "dihedral:2", "--positions", "1", "--out", str(out)]
    return main([*command, *more])


def test_without_it_all_are_named_before_anything_is_read(photographs, tmp_path, capsys):
    assert extract(photographs, tmp_path / "store") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "7 of 2000 images cannot be used" in error
    assert all(name in error for name in DAMAGED)
    assert "reading orbits" not in error
    assert OrbitStore(tmp_path / "store", allow_incomplete=True).shape[0] == 0


def test_with_it_they_are_set_apart_and_listed(photographs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # of 2,000 images: half a minute
    assert extract(photographs, tmp_path / "store", "--skip-damaged") == 0
    printed = capsys.readouterr()
    *_, first, last = printed.err.splitlines()[-8:]
    assert printed.err.splitlines()[-8] == "7 damaged images were set apart:"
    assert first.startswith(f"- {photographs / DAMAGED[5]} is not an image")
    assert last.startswith(f"- {photographs / DAMAGED[6]} has 2 x 2 pixels")
    store = OrbitStore(tmp_path / "store")
    assert len(store.images) == 1993
    assert store.metadata["damaged_images"] == DAMAGED
    assert not {image.name for image in store.images} & set(DAMAGED)
    # a command that has nothing to set apart finds that this is its store
    for name in DAMAGED:
        (photographs / name).unlink()
    assert extract(photographs, tmp_path / "store") == 0
    assert "Nothing to do" in capsys.readouterr().err


def test_more_than_a_share_are_an_error(photographs, tmp_path, capsys):
    assert extract(photographs, tmp_path / "store", "--skip-damaged", "0.003") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "7 of 2000 images cannot be used" in error
    assert error.endswith("That is more than the share of 0.003 that may be set apart.")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("share", ["1", "-0.1", "nan", "images"])
def test_a_share_that_is_none_is_refused(share, capsys):
    assert main(["extract", "--skip-damaged", share, "--out", "x"]) == 2
    error = capsys.readouterr().err
    assert "a number of at least 0 and below 1; got" in error
    assert "Images come before this option" in error


def test_images_are_drawn_in_their_own_order(folder):
    network = load_network("bundled")
    drawn = []
    for seed in (5, 5, 6, 7):
        options = Namespace(images=[folder], n_images=4, seed=seed, skip_damaged=None)
        images = draw_images(options, network)
        drawn.append([images.name(i) for i in range(len(images))])
        assert drawn[-1] == sorted(set(drawn[-1]))
        assert len(drawn[-1]) == 4
    assert drawn[0] == drawn[1]
    assert drawn[2] != drawn[0] or drawn[3] != drawn[0]
    options.n_images = 7
    with pytest.raises(ValueError, match="--n-images lies between 1 and 6"):
        draw_images(options, network)


def test_of_those_drawn_a_share_may_be_damaged(folder, tmp_path, capsys):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "3.png").write_bytes(b"text")
    options = Namespace(images=[tmp_path], n_images=None, seed=5, skip_damaged=0.2)
    images = draw_images(options, load_network("bundled"))
    assert len(images) == 5
    say_damaged(images[2:])
    said = capsys.readouterr().err.splitlines()[-2:]
    assert said[0] == "1 damaged image was set apart:"
    assert said[1].startswith(f"- {tmp_path / '3.png'} is not an image")
    images.damaged = 30 * images.damaged
    say_damaged(images)
    assert capsys.readouterr().err.splitlines()[-1] == "- and 10 others"
    say_damaged(
        draw_images(Namespace(**{**vars(options), "images": [folder]}), load_network("bundled"))
    )
    assert "set apart" not in capsys.readouterr().err


def test_five_channels_in_files_of_arrays(place, capsys):
    rng = np.random.default_rng(0)
    (place / "cells").mkdir()
    for i in range(4):
        deep = rng.integers(0, 65536, (20, 20, 5), dtype=np.uint16)
        np.save(place / "cells" / f"{i}.npy", deep)
    assert extract(place / "cells", place / "store", network="five") == 0
    assert OrbitStore(place / "store").shape == (4, 4, 2)
    assert extract(place / "cells", place / "other") == 2
    assert "(height, width, 3)" in capsys.readouterr().err
    np.save(place / "together.npy", rng.random((3, 20, 20, 5)))
    assert extract(place / "together.npy", place / "three", network="five") == 0
    names = [image.name for image in OrbitStore(place / "three").images]
    assert names == ["together.npy[0]", "together.npy[1]", "together.npy[2]"]
