"""``groupcross extract``: what is there already, and what cannot be read."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from sklearn_groupcross.cli import main


@pytest.fixture
def folder(smooth_images):
    """Images in a folder that other users may enter, unlike pytest's own."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    (place / "images").mkdir()
    for i, image in enumerate(smooth_images):
        Image.fromarray(image).resize((150, 150)).save(place / "images" / f"{i}.png")
    yield place
    shutil.rmtree(place)


def options(folder, *more):
    command = ["extract", str(folder / "images"), "--out", str(folder / "store")]
    return [*command, "--network", "bundled", "--group", "dihedral:4", "--positions", "3", *more]


def test_of_a_complete_store_nothing_is_written(folder, capsys):
    assert main(options(folder)) == 0
    assert "Nothing to do" not in capsys.readouterr().err
    for path in (folder / "store").iterdir():
        path.chmod(0o444)
    (folder / "store").chmod(0o555)
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # root may write anywhere
    try:
        for more, said in (([], "Nothing to do"), (["--append"], "Nothing to add")):
            assert main(options(folder, *more)) == 0
            printed = capsys.readouterr()
            assert f"{said}: {folder / 'store'} holds all of these images already" in printed.err
            assert "6 of 6" in printed.out
    finally:
        if is_root:
            os.seteuid(0)
        (folder / "store").chmod(0o755)


def test_damaged_images_are_all_named_and_hidden_ones_passed_over(folder, capsys):
    (folder / "images" / "._0.png").write_bytes(b"\0\5\x16\7")
    for name in ("1.png", "3.png"):
        (folder / "images" / name).write_text(f"no image, {name}")
    assert main(options(folder)) == 2
    error = capsys.readouterr().err
    assert "2 of 6 images cannot be used" in error
    assert "1.png is not an image" in error
    assert "3.png is not an image" in error
    run = ["run", str(folder / "images"), "--out", str(folder / "out"), "--held-out", "3"]
    assert main([*run, "--network", "bundled", "--group", "dihedral:4", "--features", "8"]) == 2
    assert "2 of 6 images cannot be used" in capsys.readouterr().err
