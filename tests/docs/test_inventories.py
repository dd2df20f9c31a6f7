"""Addresses of what other projects document."""

from __future__ import annotations

import importlib
import zlib

import pytest

from .extensions import ROOT, load_extension

inventories = load_extension("inventories")
LISTS = sorted((ROOT / "docs" / "_inventories").glob("*.txt"))
MODULES = {"python": "builtins"}


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_names_exist_and_are_listed_once(path):
    address, entries = inventories.read_names(path)
    assert address.endswith("/")
    assert len({(name, role) for name, role, _ in entries}) == len(entries)
    for name, role, _ in entries:
        if role.startswith("py:"):
            assert found(name if "." in name or path.stem != "python" else f"builtins.{name}")


def found(name: str) -> bool:
    """Whether a dotted name is importable."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            value = getattr(value, part)
        return True
    return False


def test_an_inventory_holds_what_is_listed(tmp_path):
    (tmp_path / "own.txt").write_text("https://own.org/\nown.Thing py:class api.html#$\n")
    mapping = inventories.write_inventories(tmp_path, tmp_path / "made")
    assert mapping == {"own": ("https://own.org/", str(tmp_path / "made" / "own.inv"))}
    *_, packed = (tmp_path / "made" / "own.inv").read_bytes().split(b"\n", 4)
    assert zlib.decompress(packed) == b"own.Thing py:class 1 api.html#$ -\n"


@pytest.mark.parametrize("text", ["own.Thing py:class a.html\n", "https://own.org/\nown.Thing a\n"])
def test_what_is_not_understood_is_an_error(tmp_path, text):
    (tmp_path / "own.txt").write_text(text)
    with pytest.raises(ValueError, match="not understood"):
        inventories.write_inventories(tmp_path, tmp_path)
