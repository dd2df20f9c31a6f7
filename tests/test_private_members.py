"""No room uses what another room keeps to itself: an attribute ``_name`` of somebody else's object.

What can be told without running anything is told. An object is of another room if it is annotated
with a class that is imported from there; of any other object ``x._name`` is taken to be the room's
own if the room makes that name, as a method, a function, a class attribute or by assignment to
``self``. The object itself (``self``, ``cls``) and what it inherits are its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import sklearn_groupcross

ROOT = Path(sklearn_groupcross.__file__).parent
OWN = {"self", "cls"}
#: What libraries have no public name for, or call so although it is public (``_replace`` of named
#: tuples, ``os._exit``, ``sys._getframe``).
OF_LIBRARIES = {
    "python": {"_asdict", "_exit", "_getframe", "_replace", "_Unpickler"},
    "python's argparse": {"_actions", "_SubParsersAction"},
    "scikit-learn": {"_validate_params"},
    "torch": {
        "_BatchNorm", "_C", "_ConvNd", "_NormBase", "_cdata", "_get_privateuse1_backend_name",
        "_modules", "_orig_mod", "_schema", "_version",
    },
    "numba": {"_cache"},
}  # fmt: skip


def room_of(path: Path) -> str:
    """The first folder, or the file of a ground module."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def made_in(tree: ast.AST) -> set[str]:
    """Private names that a module makes: what is defined, assigned or declared in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in OWN:
                names.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):  # a module of the room
            names.add(node.asname or node.name)
    return {name for name in names if is_private(name)}


def imported_from_other_rooms(path: Path, tree: ast.AST) -> set[str]:
    """Names that a module imports from other rooms of the package."""
    depth = len(path.relative_to(ROOT).parts)  # of dots that lead out of the room
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level >= depth > 1
        for alias in node.names
    }


def private_attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Private attributes that a module asks others for."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and is_private(node.attr)):
            continue
        is_own = isinstance(node.value, ast.Name) and node.value.id in OWN
        is_super = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super"
        if not (is_own or is_super):
            yield node


def of_annotated(tree: ast.AST, classes: set[str]) -> Iterator[ast.Attribute]:
    """Private attributes of a function's parameters that are annotated with one of the classes."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        arguments = function.args
        strangers = {
            argument.arg
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            if argument.annotation is not None
            and classes & {n.id for n in ast.walk(argument.annotation) if isinstance(n, ast.Name)}
        }
        for node in private_attributes(function):
            if isinstance(node.value, ast.Name) and node.value.id in strangers:
                yield node


def foreign(sources: dict[Path, ast.Module]) -> list[str]:
    """Uses of private members that are not those of the room that the file is in."""
    made: dict[str, set[str]] = {}
    for path, tree in sources.items():
        made.setdefault(room_of(path), set()).update(made_in(tree))
    allowed = set().union(*OF_LIBRARIES.values())
    found = []
    for path, tree in sources.items():
        uses = [n for n in private_attributes(tree) if n.attr not in made[room_of(path)]]
        uses += of_annotated(tree, imported_from_other_rooms(path, tree))
        found += [
            f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
            for node in uses
            if node.attr not in allowed
        ]
    return sorted(set(found))


@cache
def modules() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def test_no_room_uses_private_members_of_others():
    assert foreign(modules()) == []


def test_what_libraries_are_allowed_is_used():
    used = {node.attr for tree in modules().values() for node in private_attributes(tree)}
    assert set().union(*OF_LIBRARIES.values()) <= used


MAKES = ("crosscoder/_model.py", "class Model:\n    def _codes(self): return self._kept\n")


@pytest.mark.parametrize(
    ("name", "code", "found"),
    [
        ("report/_page.py", "def show(model): model._codes()", "model._codes"),
        ("report/_page.py", "def show(model): model.codes._kept", "model.codes._kept"),
        ("cli/_run.py", "from ..crosscoder import _model\n_model._helper()", "_model._helper"),
        (
            "analysis/_view.py",  # the room has a name like it
            "from ..crosscoder import Model\n"
            "class View:\n    def __init__(self, of: Model | None):\n"
            "        self._codes = of._codes()",
            "of._codes",
        ),
        ("crosscoder/_page.py", "def show(model): model._codes()", None),
        ("report/_page.py", "class Page:\n    def show(self): return self._whatever", None),
        ("report/_page.py", "def show(model): return model.__dict__", None),
    ],
)
def test_what_is_found(name, code, found):
    sources = {ROOT / file: ast.parse(text) for file, text in (MAKES, (name, code))}
    assert [line.split(": ")[1] for line in foreign(sources)] == ([found] if found else [])
