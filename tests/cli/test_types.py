from __future__ import annotations

import os
from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.cli import _types
from sklearn_groupcross.cli._fit import MODEL
from sklearn_groupcross.cli._types import (
    LARGEST_SEED,
    count,
    device_name,
    existing_file,
    existing_path,
    folder_to_write,
    group_name,
    layer_name,
    model_file,
    network_name,
    number,
    seed,
    share_or_none,
    store_folder,
    store_to_write,
)
from sklearn_groupcross.orbits._store_schema import MANIFEST


def refused(type_, text):
    with pytest.raises(ArgumentTypeError) as raised:
        type_(text)
    return str(raised.value)


@given(st.integers(-(10**20), 10**20), st.integers(-3, 3), st.integers(0, 5))
def test_whole_numbers_lie_in_their_range(value, least, width):
    for type_, most in ((count(least), 10**18 - 1), (count(least, least + width), least + width)):
        if least <= value <= most:
            assert type_(f" {value} ") == value
        else:
            assert refused(type_, str(value)).endswith(f"; got '{value}'")


@given(st.text())
def test_what_is_no_number_is_none(text):
    try:
        value = float(text)
    except ValueError:
        value = None
    for type_ in (count(), number(least=0)):
        if value is None:
            assert repr(text) in refused(type_, text)


def test_whole_numbers_are_written_as_such():
    for text in ("", "1.0", "1e3", "0x10", "1_000", "１２", "one"):
        assert refused(count(), text) == f"an integer of 1 or more; got {text!r}"
    assert refused(count(2, 5), "6") == "an integer from 2 to 5; got '6'"


def test_seeds_are_those_that_generators_take():
    assert seed(str(LARGEST_SEED)) == LARGEST_SEED
    refused(seed, str(LARGEST_SEED + 1))
    refused(seed, "-1")


@given(st.floats())
def test_numbers_lie_in_their_range(value):
    for settings, inside in [
        ({"above": 0, "below": 1}, 0 < value < 1),
        ({"least": 0, "most": 2}, 0 <= value <= 2),
        ({"least": 0}, 0 <= value < float("inf")),
    ]:
        if inside:
            assert number(**settings)(repr(value)) == value
        else:
            refused(number(**settings), repr(value))


def test_ranges_are_said():
    for settings, text in [
        ({"above": 0, "below": 1}, "a number above 0 and below 1"),
        ({"least": 0}, "a number of at least 0"),
        ({"least": 0, "words": ("auto",)}, "a number of at least 0 or auto"),
        ({"above": 0, "most": 1, "words": ("a", "b")}, "a number above 0 and at most 1, a or b"),
    ]:
        assert refused(number(**settings), "nan") == f"{text}; got 'nan'."


def test_words_stand_for_numbers():
    assert share_or_none("auto") == "auto"
    assert share_or_none("none") is None
    assert share_or_none("1") == 1
    assert refused(share_or_none, "Auto").endswith("Did you mean auto?")
    refused(share_or_none, "0")


def test_groups_are_named_in_one_way():
    assert group_name(" Dihedral:08") == "dihedral:8"
    assert "is the largest" in refused(group_name, "dihedral:513")


def test_devices_are_those_of_torch():
    for text in ("auto", "cpu", "cuda", "cuda:0", "cuda:15", "mps", "cpu:0"):
        assert device_name(text) == text
    for text in ("", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:x", "auto:0", "meta", ":0"):
        refused(device_name, text)
    assert refused(device_name, "cud:1").endswith("Did you mean cuda?")


def test_layers_have_names():
    assert layer_name("mixed3b") == "mixed3b"
    refused(layer_name, " ")


def test_networks_are_known_or_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("raise SystemExit('run')")
    Path("nets").mkdir()
    for text in ("bundled", "net.py:build", "net:build", "nets.a:build", "json.decoder:f"):
        assert network_name(text) == text
    for text, message in [
        ("bundle", "Did you mean bundled?"),
        ("other.py:build", "no such file: 'other.py'"),
        ("./net:build", "no such file: './net'"),
        ("nets/:build", "'nets/' is a folder"),
        ("other.net:build", "no module 'other'"),
        ("net.py:", "FILE.py:FUNCTION"),
    ]:
        assert message in refused(network_name, text)


def test_places_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert existing_path("file") == "file"
    assert existing_path(str(tmp_path)) == str(tmp_path)
    assert existing_file("file") == Path("file")
    for type_ in (existing_path, existing_file, model_file, store_folder):
        for text in ("", "absent", "file/below", "\0"):
            assert repr(text) in refused(type_, text)
    assert "is a folder" in refused(existing_file, ".")


def test_results_have_the_names_that_are_looked_for():
    assert (_types._MODEL, _types._MANIFEST) == (MODEL, MANIFEST)


def test_models_and_stores_are_told_from_one_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("file", "run/crosscoder.safetensors", "run/orbits/manifest.json"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    assert model_file("file") == Path("file")
    assert store_folder("run/orbits") == Path("run/orbits")
    model = os.path.join("run", "crosscoder.safetensors")
    assert refused(model_file, "run").endswith(f"'run' is a folder: {model} is one")
    assert "from which groupcross fit makes models" in refused(model_file, "run/orbits")
    assert refused(model_file, ".").endswith("groupcross fit writes one")
    orbits = os.path.join("run", "orbits")
    assert refused(store_folder, "run").endswith(f"'run' is none: {orbits} is one")
    assert refused(store_folder, "file").endswith("is a file: groupcross extract makes one")
    assert refused(store_folder, ".").endswith("is none: groupcross extract makes one")


def test_urls_are_of_stores_alone():
    url = "s3://bucket/images.orbits"
    assert store_folder(url) == store_to_write(url) == url
    assert store_to_write("new") == Path("new")
    assert refused(folder_to_write, url) == f"results go to a folder here; got {url!r}"
    assert "groupcross fit and analyze take" in refused(existing_path, url)


def test_folders_to_write_to_need_not_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    for text in (".", "new", "new/below", str(tmp_path / "new")):
        assert folder_to_write(text) == Path(text)
    for text in ("file", "file/below", "file/below/more"):
        assert refused(folder_to_write, text) == "a folder is needed, and 'file' is a file"
    for text in ("", "\0"):
        refused(folder_to_write, text)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="a folder in use is not removed there")
def test_a_folder_that_is_gone_is_said(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for type_ in (existing_path, existing_file, store_folder):
        with pytest.raises(FileNotFoundError, match="does not exist any more"):
            type_("x")
    with pytest.raises(FileNotFoundError, match="does not exist any more"):
        network_name("absent:build")
