"""The package's public names, and what it takes to have them."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_groupcross

HEAVY = "{name for name in ('torch', 'sklearn', 'scipy', 'pandas') if name in sys.modules}"


def last_line(program: str) -> str:
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout.splitlines()[-1]


def test_every_name_is_there_and_is_listed():
    for name in sklearn_groupcross.__all__:
        assert getattr(sklearn_groupcross, name) is not None
        assert name in dir(sklearn_groupcross)
    assert set(sklearn_groupcross._ROOM_OF) == set(sklearn_groupcross.__all__) - {"__version__"}
    with pytest.raises(AttributeError, match="'sklearn_groupcross' has no attribute 'OrbitDate'"):
        _ = sklearn_groupcross.OrbitDate


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(sklearn_groupcross.__file__).read_text(encoding="utf-8"))
    seen = {
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module != "_version"
        for alias in node.names
    }
    assert seen == {(room, name) for name, room in sklearn_groupcross._ROOM_OF.items()}


def test_names_are_pickled():
    for name in ("GroupCrosscoder", "make_orbits"):
        value = getattr(sklearn_groupcross, name)
        assert pickle.loads(pickle.dumps(value)) is value


def test_rooms_are_imported_when_they_are_asked_for():
    program = f"import sys, sklearn_groupcross; print({HEAVY})"
    assert last_line(program) == "set()"
    program = "import sklearn_groupcross as package; print(package.groups.Dihedral(3).order)"
    assert last_line(program) == "6"
    program = "from sklearn_groupcross import *; print(OrbitStore.__name__)"
    assert last_line(program) == "OrbitStore"


def test_the_command_prints_its_version_without_torch():
    program = f"""
import sys
from sklearn_groupcross.cli import main
try:
    main(["--version"])
except SystemExit:
    print({HEAVY})
"""
    assert last_line(program) == "set()"
