"""What a report of saved crosscoders shows."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._report import images_of
from sklearn_groupcross.cli._shown import StoredPatches, check_visualizing
from sklearn_groupcross.orbits import OrbitStore
from tests.report.page import read_page


@pytest.fixture
def page(whole):
    return read_page((whole / "report.html").read_text(encoding="utf-8"))


def test_two_seeds_are_shown_side_by_side(page):
    assert [run["name"] for run in page["runs"]] == ["seed 0", "seed 1"]
    assert page["comparison"]["measure"] == "cosine"
    first, second = page["runs"]
    assert first["shown"]["firing"] is not None
    assert second["shown"]["firing"] is None
    assert second["pictures"] is not None


def test_the_page_says_how_it_was_made(page, whole):
    (run, _) = page["runs"]
    tables = {table["title"]: dict(map(tuple, table["rows"])) for table in run["about"]}
    assert {"sklearn_groupcross", "torch", "processor"} <= tables["Versions"].keys()
    assert tables["Run"]["network"] == "bundled, layer relu3"
    assert "6 images" not in tables["Run"]["images"]
    assert tables["Run"]["images"].startswith("4 images for training, 2 held out")
    assert tables["Dictionary"]["random_state"] == "0"
    assert run["commands"] == ["groupcross run --config run.toml"]
    assert isinstance(run["findings"], list)
    # pages are sent to others: no place on this machine
    assert str(whole.parent) not in (whole / "report.html").read_text(encoding="utf-8")


def test_one_model_is_shown_alone(whole, tmp_path):
    model = tmp_path / "alone.safetensors"
    GroupCrosscoder.load(whole / "crosscoder.safetensors").save(model)
    command = ["report", str(model), "--orbits", str(whole / "orbits"), "--out", str(tmp_path)]
    assert main(command) == 0
    content = read_page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert (len(content["runs"]), content["comparison"]) == (1, None)


def test_patches_are_those_of_the_stores_images(whole):
    store = OrbitStore(whole / "orbits")
    options = argparse.Namespace(images=None, network=None, weights=None, device="cpu")
    dataset = images_of(options, store.path)
    orbits = store[[3, 41], ...]
    patches = StoredPatches(dataset, orbits)
    images, positions = patches.locate([1, 0])
    np.testing.assert_array_equal(images, orbits.image_ids[[1, 0]])
    np.testing.assert_array_equal(positions, orbits.positions[[1, 0]])
    expected = dataset.patches_at(images, positions, elements=[2])
    np.testing.assert_array_equal(patches.patches([1, 0], elements=[2]), expected)


def test_what_cannot_be_visualized_is_said_before_the_work():
    check_visualizing(argparse.Namespace(visualize=None), None)
    with pytest.raises(ValueError, match="--images and --network"):
        check_visualizing(argparse.Namespace(visualize=3), None)
