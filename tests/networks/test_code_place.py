from __future__ import annotations

import pickle
import sys
from types import SimpleNamespace

import pytest

from sklearn_groupcross.networks._code_place import CodePlace


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    return sys.path


def test_a_folder_is_first_on_the_path_and_once(tmp_path, path):
    for _ in range(2):
        CodePlace(tmp_path)
    assert path[0] == str(tmp_path)
    assert path.count(str(tmp_path)) == 1


def test_a_path_that_is_safe_stays_so(tmp_path, path, monkeypatch):
    before = list(path)
    safe = SimpleNamespace(path=path, flags=SimpleNamespace(safe_path=True), modules=sys.modules)
    monkeypatch.setattr("sklearn_groupcross.networks._code_place.sys", safe)
    CodePlace(tmp_path)
    assert path == before


def test_what_is_pickled_behind_it_finds_its_code(tmp_path, path):
    (tmp_path / "own.py").write_text("class Thing:\n    number = 3\n")
    place = CodePlace(tmp_path, tmp_path / "own.py")
    pickled = pickle.dumps([place, place.module.Thing()])
    del sys.modules[place.name]
    path.remove(str(tmp_path))
    again, thing = pickle.loads(pickled)
    assert (again.name, thing.number, path[0]) == (place.name, 3, str(tmp_path))
    del sys.modules[place.name]


def test_code_that_fails_leaves_no_module(tmp_path):
    (tmp_path / "own.py").write_text("1 / 0\n")
    before = set(sys.modules)
    with pytest.raises(ZeroDivisionError):
        CodePlace(tmp_path, tmp_path / "own.py")
    assert set(sys.modules) == before
    (tmp_path / "own.txt").write_text("x = 1\n")
    with pytest.raises(ImportError, match="does not end in .py"):
        CodePlace(tmp_path, tmp_path / "own.txt")
