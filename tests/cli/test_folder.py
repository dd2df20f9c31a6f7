from __future__ import annotations

import argparse
import os

import pytest

from sklearn_groupcross.cli._folder import RunFolder
from sklearn_groupcross.cli._manifest import Manifest
from sklearn_groupcross.cli._results import NEXT
from sklearn_groupcross.cli._run_folder import name_in_folder, run_folder

SETTINGS, INPUTS = {"epochs": 4}, {"orbits": "abc"}


def opened(out, *, overwrite=False):
    options = argparse.Namespace(overwrite=overwrite, typed_command=["fit"])
    return run_folder(options, out)


def writer(content):
    return lambda path: path.write_text(content, encoding="utf-8")


def stage(folder, content, settings=SETTINGS, inputs=INPUTS, name="fit", file="model"):
    """Carry out a stage of one file, unless it is done; whether it had to be."""
    if folder.done(name, settings, inputs) is not None:
        return False
    folder.begin(name, settings, inputs, [file])
    folder.publish(name, settings, inputs, {file: writer(content)}, results={"is": content})
    return True


def fails_after(out, act):
    """A command that may overwrite, and ends with an error after some work."""

    def command():
        with opened(out, overwrite=True) as folder:
            act(folder)
            raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        command()


def text(path):
    return path.read_text(encoding="utf-8")


def test_a_stage_is_done_once(tmp_path):
    out = tmp_path / "out"
    with opened(out) as folder:
        assert stage(folder, "one")
        assert not stage(folder, "two")
        assert folder.results_of(out, "fit") == {"is": "one"}
        folder.take_place({})
    assert set(os.listdir(out)) == {"model", "run.log", "stages.json"}
    with opened(out) as folder:
        assert not stage(folder, "three")
    assert text(out / "model") == "one"
    assert "groupcross fit" in text(out / "run.log")


@pytest.mark.parametrize(
    ("settings", "inputs", "words"),
    [
        ({"epochs": 5}, INPUTS, "--epochs was 4, and is 5 now"),
        ({}, INPUTS, "--epochs was 4 and is not given now"),
        (SETTINGS, {"orbits": "other"}, "it was made from other orbits"),
    ],
)
def test_other_results_are_kept_until_new_ones_are_whole(tmp_path, settings, inputs, words):
    with opened(tmp_path) as folder:
        stage(folder, "old")
    with opened(tmp_path) as folder, pytest.raises(ValueError, match="overwrite") as refused:
        stage(folder, "new", settings, inputs)
    assert words in str(refused.value)
    with opened(tmp_path, overwrite=True) as folder:
        assert stage(folder, "new", settings, inputs)
        assert (text(tmp_path / "model"), text(tmp_path / NEXT / "model")) == ("old", "new")
        # what follows goes there too
        assert stage(folder, "table", name="analyze", file="table")
        assert not (tmp_path / "table").exists()
        folder.take_place({})
    assert (text(tmp_path / "model"), text(tmp_path / "table")) == ("new", "table")
    assert not (tmp_path / NEXT).exists()
    assert Manifest.read(tmp_path).stages.keys() == {"fit", "analyze"}


def test_a_command_that_was_killed_goes_on_with_what_is_whole(tmp_path):
    with opened(tmp_path) as folder:
        stage(folder, "old")
    new = {"epochs": 5}
    fails_after(tmp_path, lambda folder: stage(folder, "new", new))
    with opened(tmp_path, overwrite=True) as folder:
        assert not stage(folder, "again", new)
        folder.redirect()
        assert stage(folder, "table", name="analyze", file="table")
        folder.take_place({})
    assert text(tmp_path / "model") == "new"
    # with other settings it begins anew
    fails_after(tmp_path, lambda folder: stage(folder, "newer", {"epochs": 6}))
    with opened(tmp_path, overwrite=True) as folder:
        assert stage(folder, "newest", {"epochs": 7})
        folder.take_place({})
    assert text(tmp_path / "model") == "newest"


def test_what_has_no_successor_goes(tmp_path):
    (tmp_path / "figure").write_text("of nobody", encoding="utf-8")
    (tmp_path / "note").write_text("mine", encoding="utf-8")
    with opened(tmp_path) as folder:
        stage(folder, "old", file="first")
    with opened(tmp_path, overwrite=True) as folder:
        stage(folder, "new", {"epochs": 5}, file="second")
        folder.take_place({"fit": ["figure"], "report": ["note"]})
    assert {"second", "note"} == set(os.listdir(tmp_path)) - {"run.log", "stages.json"}


def test_files_that_nobody_has_recorded_are_kept(tmp_path):
    (tmp_path / "model").write_text("mine", encoding="utf-8")
    with opened(tmp_path) as folder:
        with pytest.raises(ValueError, match="already holds model: choose another --out"):
            folder.check("fit", SETTINGS, ["model"])
        with pytest.raises(ValueError, match="no command here has recorded"):
            stage(folder, "new")
    assert text(tmp_path / "model") == "mine"
    assert os.listdir(tmp_path) == ["model"]


def test_what_was_changed_is_not_done(tmp_path):
    with opened(tmp_path) as folder:
        stage(folder, "old")
    (tmp_path / "model").write_text("changed", encoding="utf-8")
    with opened(tmp_path) as folder, pytest.raises(ValueError, match="model was changed since"):
        stage(folder, "new")
    (tmp_path / "model").unlink()
    with opened(tmp_path) as folder:
        assert stage(folder, "old")


def test_a_folder_in_the_place_of_a_file_is_said_before_the_work(tmp_path):
    (tmp_path / "model").mkdir()
    with opened(tmp_path, overwrite=True) as folder, pytest.raises(ValueError, match="is a folder"):
        folder.check("fit", SETTINGS, ["model"])


def test_a_mistake_leaves_nothing(tmp_path):
    fails_after(tmp_path / "new" / "out", RunFolder.begin_work)
    assert os.listdir(tmp_path) == []


def test_files_that_cannot_be_written_are_named_by_their_place(tmp_path):
    def full(path):
        raise OSError(28, "No space left on device", str(path))

    with opened(tmp_path) as folder:
        folder.begin("fit", SETTINGS, INPUTS, ["model"])
        with pytest.raises(OSError, match="No space") as caught:
            folder.publish("fit", SETTINGS, INPUTS, {"model": full}, results={})
    assert caught.value.filename == str(tmp_path / "model")
    assert Manifest.read(tmp_path).stages == {}
    error = OSError(28, "No space", str(tmp_path / NEXT / "model"))
    name_in_folder(error, tmp_path)
    assert error.filename == str(tmp_path / "model")


def test_parts_of_a_stage_are_kept(tmp_path):
    with opened(tmp_path) as folder:
        assert folder.begin("fit", SETTINGS, INPUTS, ["a", "b"]) == []
        folder.publish("fit", SETTINGS, INPUTS, {"a": writer("a")})
        assert folder.done("fit", SETTINGS, INPUTS) is None
    with opened(tmp_path) as folder:
        assert folder.begin("fit", SETTINGS, INPUTS, ["a", "b"]) == ["a"]
        folder.publish("fit", SETTINGS, INPUTS, {"b": writer("b")}, kept=["a"], results={})
        assert folder.done("fit", SETTINGS, INPUTS) == tmp_path
