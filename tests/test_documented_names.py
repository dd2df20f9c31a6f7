"""What the documentation lists and imports, held against the public names of the package."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import runpy
from collections import defaultdict
from pathlib import Path

import pytest

import sklearn_groupcross

PACKAGE = "sklearn_groupcross"
ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
INDEX = (DOCS / "api" / "index.rst").read_text(encoding="utf-8")
#: Modules whose public names programs import. Of ``cli`` they run the command.
ROOMS = [PACKAGE, *(f"{PACKAGE}.{room}" for room in (*sklearn_groupcross._ROOMS, "testing"))]
PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.rst"), *DOCS.glob("guide/*.rst")])
PROGRAMS = sorted((ROOT / "examples").glob("*.py"))
TEMPLATE = (DOCS / "_templates" / "autosummary" / "class.rst").read_text(encoding="utf-8")


def listed_names(text: str) -> dict[str, set[str]]:
    """Entries of the index by room."""
    listed, room = defaultdict(set), ""
    for line in text.splitlines():
        if found := re.match(r"\.\. currentmodule:: (\S+)", line):
            room = found[1]
        elif found := re.match(r"(?:\.\. py:data:: |   )(\w+)$", line):
            listed[room].add(found[1])
    return listed


LISTED = listed_names(INDEX)


def public_names(room: str) -> set[str]:
    return set(importlib.import_module(room).__all__)


@pytest.mark.parametrize("room", ROOMS)
def test_the_index_lists_what_a_room_has(room):
    top = set() if room == PACKAGE else LISTED[PACKAGE]
    assert public_names(room) - LISTED[room] - top == set(), "public, but not in the index"
    assert LISTED[room] - public_names(room) == set(), "in the index, but not public"
    assert LISTED[room] & top == set(), "listed twice"


def test_the_index_has_no_other_rooms():
    assert set(LISTED) == set(ROOMS)


CLASSES = sorted(
    {
        value
        for room, names in LISTED.items()
        for name in names
        if inspect.isclass(value := getattr(importlib.import_module(room), name))
    },
    key=lambda value: value.__name__,
)


def is_own(cls: type) -> bool:
    return cls.__module__.split(".")[0] == PACKAGE


def methods(cls: type, *, own: bool) -> dict[str, object]:
    """Public methods and properties that the package defines, or that others do."""
    found = {}
    for name in dir(cls):
        definer = next((base for base in cls.__mro__ if name in vars(base)), None)
        if name.startswith("_") or definer is None or is_own(definer) != own:
            continue
        member = vars(definer)[name]
        routable = isinstance(member, (classmethod, staticmethod, property))
        if routable or inspect.isfunction(member) or hasattr(member, "func"):
            found[name] = getattr(cls, name)
    return found


@pytest.fixture(scope="module")
def skip_of_others():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # as the build sets it; taken back afterwards
        return runpy.run_path(str(DOCS / "conf.py"))["skip_of_others"]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_pages_of_classes_have_all_methods(cls, skip_of_others):
    """Inherited ones too: autodoc shows what has a docstring and is not skipped."""
    assert "   :members:\n   :inherited-members:\n" in TEMPLATE
    for name, member in methods(cls, own=True).items():
        assert not skip_of_others(None, "class", name, member, False, {}), name
        assert inspect.getdoc(inspect.getattr_static(cls, name)) or inspect.getdoc(member), name
    for name, member in methods(cls, own=False).items():
        assert skip_of_others(None, "class", name, member, False, {}), name


def test_inherited_methods_are_among_those_looked_for():
    expected = {"transform", "inverse_transform", "encode", "score", "save", "load"}
    assert expected <= set(methods(sklearn_groupcross.GroupCrosscoder, own=True))
    foreign = set(methods(sklearn_groupcross.GroupCrosscoder, own=False))
    assert {"get_params", "fit_transform"} <= foreign


def imported(program: str) -> set[tuple[str, str]]:
    """Modules of the package that a program imports, with names where it names them."""
    found = set()
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.ImportFrom):
            found |= {(str(node.module), alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
    return {(module, name) for module, name in found if module.split(".")[0] == PACKAGE}


def imports_of_page(text: str) -> set[tuple[str, str]]:
    """Imports in doctests and in blocks of code, which may go on within parentheses."""
    text = re.sub(r"^ *(?:>>>|\.\.\.) ?", "", text, flags=re.MULTILINE)
    pattern = rf"^ *((?:from {PACKAGE}\S* import (?:\([^)]*\)|[^\n(]+))|import {PACKAGE}[^\n]*)"
    return set().union(*(imported(line) for line in re.findall(pattern, text, re.MULTILINE)))


def private_imports(found: set[tuple[str, str]]) -> set[str]:
    return {
        f"{module}: {name}"
        for module, name in found
        if any(part.startswith("_") for part in module.split("."))
        or (name and name not in {*importlib.import_module(module).__all__, *dir_of_rooms(module)})
    }


def dir_of_rooms(module: str) -> set[str]:
    return set(sklearn_groupcross._ROOMS) if module == PACKAGE else set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_import_public_names_only(path):
    assert private_imports(imports_of_page(path.read_text(encoding="utf-8"))) == set()


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_examples_import_public_names_only(path):
    found = imported(path.read_text(encoding="utf-8"))
    assert found, "an example of the package imports it"
    assert private_imports(found) == set()


def test_a_private_import_would_be_seen():
    page = f">>> from {PACKAGE}.analysis import (\n...     Family,\n...     unit_atoms,\n... )\n"
    assert private_imports(imports_of_page(page)) == {f"{PACKAGE}.analysis: unit_atoms"}
    page = f"    import {PACKAGE}.analysis._kinds as kinds\n"
    assert len(private_imports(imports_of_page(page))) == 1
