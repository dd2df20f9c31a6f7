"""The reference is complete: every public object says what it takes, gives, raises and rests on.

What is asked is in `FAULTS` and in the tests below. A parameter whose name and type say all needs
no description, as ``group : FiniteGroup``.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from typing import Any

import pytest

import sklearn_groupcross

validation = pytest.importorskip("numpydoc.validate")
docscrape = pytest.importorskip("numpydoc.docscrape")

PACKAGE = "sklearn_groupcross"
ROOMS = [PACKAGE, *(f"{PACKAGE}.{room}" for room in (*sklearn_groupcross._ROOMS, "testing"))]
#: What `numpydoc.validate` may not find.
FAULTS = {
    "GL03": "two empty lines",
    "GL05": "tabs",
    "GL06": "an unknown section",
    "GL07": "sections in another order",
    "GL08": "no docstring",
    "GL10": "a directive without its colons",
    "SS01": "no summary",
    "SS02": "a summary that begins with a small letter",
    "SS03": "a summary without a full stop",
    "SS04": "a summary that begins with spaces",
    "PR01": "parameters that are not documented",
    "PR02": "parameters that are not there",
    "PR03": "parameters in another order",
    "PR04": "a parameter without a type",
    "PR05": "a type that ends in a full stop",
    "PR10": "no space before a colon",
    "RT01": "a result that is not documented",
    "YD01": "what is yielded is not documented",
}
#: Arrays by any name, as types say it.
ARRAY = re.compile(r"\b(ndarray|Tensor|array-like)\b")
#: Whatever implements mathematics that others have published.
HAS_SOURCE = {
    "GroupCrosscoder",
    "GroupFourier",
    "Irrep",
    "KneePoint",
    "SymmetryAnalyzer",
    "cluster_families",
    "compare_separation",
    "description_length",
    "diagnose",
    "downstream_effect",
    "equivariance_index",
    "irrep_power",
    "match_dictionaries",
    "probe_kinds",
    "receptive_field",
    "stability",
    "visualize_features",
}


@dataclass(frozen=True)
class Documented:
    """One public object, under one of its names."""

    name: str
    value: Any
    kind: str

    @property
    def function(self) -> Any:
        """The function within a property, a class method or a decorated one."""
        value = self.value
        for inner in ("fget", "func", "__func__"):
            value = getattr(value, inner, None) or value
        return inspect.unwrap(value) if callable(value) else value

    @property
    def sections(self) -> Any:
        return docscrape.NumpyDocString(inspect.getdoc(self.function) or "")


def is_own(value: Any) -> bool:
    return (getattr(value, "__module__", None) or "").split(".")[0] == PACKAGE


def public_objects() -> Iterator[Documented]:
    """Public functions and classes, and what of their members the package defines."""
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) and is_own(value):
                yield Documented(f"{room}.{name}", value, "class")
                yield from members(f"{room}.{name}", value)
            elif inspect.isfunction(value) and is_own(value):
                yield Documented(f"{room}.{name}", value, "function")


def members(prefix: str, cls: type) -> Iterator[Documented]:
    for name in dir(cls):
        definer = next((base for base in cls.__mro__ if name in vars(base)), None)
        if name.startswith("_") or definer is None or not is_own(definer):
            continue
        value = vars(definer)[name]
        if isinstance(value, property) or hasattr(value, "func"):
            yield Documented(f"{prefix}.{name}", value, "property")
        elif isinstance(value, (classmethod, staticmethod)) or inspect.isfunction(value):
            yield Documented(f"{prefix}.{name}", value, "method")


def once(objects: Iterator[Documented]) -> list[Documented]:
    """Each definition once: subclasses share what they inherit, rooms what they export."""
    return list({id(found.function): found for found in reversed([*objects])}.values())[::-1]


OBJECTS = once(public_objects())
named = pytest.mark.parametrize("documented", OBJECTS, ids=lambda found: found.name)


def test_all_kinds_are_found():
    kinds = [documented.kind for documented in OBJECTS]
    assert {"class", "function", "property", "method"} == set(kinds)
    assert len(kinds) > 400
    assert {name.rsplit(".", 1)[-1] for name in HAS_SOURCE} <= {
        documented.name.rsplit(".", 1)[-1] for documented in OBJECTS
    }


@named
def test_docstrings_are_whole(documented):
    assert faults(documented) == []


def faults(documented: Documented) -> list[str]:
    try:
        found = validation.validate(documented.name)["errors"]
    except OSError:  # made by a decorator of another package: the source is not to be had
        assert inspect.getdoc(documented.value), documented.name
        return []
    kept = [(code, message) for code, message in found if code in FAULTS]
    if documented.kind == "class":
        fields = is_dataclass(documented.value) or hasattr(documented.value, "_fields")
        protocol = getattr(documented.value, "_is_protocol", False)
        if protocol or (fields and not undescribed_fields(documented)):
            # fields are documented as attributes, and a protocol is not made
            kept = [(code, message) for code, message in kept if code != "PR01"]
    return [f"{FAULTS[code]}: {message}" for code, message in kept]


def undescribed_fields(documented: Documented) -> set[str]:
    sections = documented.sections
    listed = {
        name.strip()
        for section in ("Parameters", "Attributes")
        for entry in sections[section]
        for name in entry.name.split(",")
    }
    fields = getattr(documented.value, "_fields", None) or documented.value.__dataclass_fields__
    return {name for name in fields if not name.startswith("_")} - listed


@named
def test_arrays_state_their_shape(documented):
    vague = [
        f"{entry.name} : {entry.type}"
        for section in ("Parameters", "Attributes", "Returns", "Yields")
        for entry in documented.sections[section]
        if ARRAY.search(entry.type or entry.name) and not says_its_shape(entry)
    ]
    assert vague == []


def says_its_shape(entry: Any) -> bool:
    """Whether a type says it, or refers to a function whose type does."""
    kind = entry.type or entry.name
    by_reference = re.search(r"[Aa]s `\w+` takes|[Aa]s `\w+`|[Ss]ee `\w+`", " ".join(entry.desc))
    several = re.search(r"sequence|mapping of names", kind) and "GroupCrosscoder" in kind
    return "of shape" in kind or "scalar" in kind or bool(by_reference) or bool(several)


@named
def test_errors_are_documented(documented):
    """Those that the function raises itself; what comes from others it may leave to them."""
    if documented.kind == "class":
        return
    try:
        source = inspect.getsource(documented.function)
    except OSError:
        return
    # a method is parsed within a class: its docstring may hold lines without indentation
    tree = ast.parse(f"class _:\n{source}" if source[0] == " " else source).body[0]
    definition = tree.body[0] if isinstance(tree, ast.ClassDef) else tree
    said = " ".join(entry.type + entry.name for entry in documented.sections["Raises"])
    assert {error for error in raised(definition) if error not in said} == set()


def raised(node: ast.AST) -> Iterator[str]:
    """Names of errors that are raised in a function, functions within it left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
            error = ast.unparse(child.exc.func)
            if error in ("ValueError", "TypeError"):
                yield error
        yield from raised(child)


@named
def test_sources_are_given(documented):
    sections = documented.sections
    references = "\n".join(sections["References"])
    if documented.name.rsplit(".", 1)[-1] in HAS_SOURCE and documented.kind in (
        "class",
        "function",
    ):
        assert re.search(r"arXiv:|doi:|\(\d{4}\)|https://", references), "no source"
    text = inspect.getdoc(documented.function) or ""
    cited = set(re.findall(r"\[(\d+)\]_", text))
    assert cited <= set(re.findall(r"\.\. \[(\d+)\]", references)), "cited, but not listed"


def test_a_docstring_that_is_not_whole_is_seen():
    def bare(x):
        """Give x"""
        raise ValueError(x)

    tree = ast.parse("def bare(x):\n    raise ValueError(x)\n").body[0]
    assert [*raised(tree)] == ["ValueError"]
    found = validation.Validator(docscrape.get_doc_object(bare))
    assert not found.summary.endswith(".")
    assert not says_its_shape(docscrape.Parameter("x", "ndarray", ["A number."]))
    assert says_its_shape(docscrape.Parameter("x", "ndarray of shape (n,)", []))
