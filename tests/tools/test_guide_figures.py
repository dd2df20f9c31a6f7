"""Pictures of the guide: each is there, is small, is shown on a page, and can be drawn."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from tools import guide_figures

DOCS = Path(guide_figures.ROOT, "docs")
FILES = {name: f"guide-{name}.{suffix}" for name, (_, suffix) in guide_figures.FIGURES.items()}


@pytest.mark.parametrize("file", FILES.values())
def test_every_picture_is_small_and_shown(file):
    assert 0 < (DOCS / "_static" / file).stat().st_size < 150_000
    pages = [*DOCS.glob("*.rst"), *DOCS.glob("guide/*.rst")]
    assert any(f"_static/{file}" in page.read_text(encoding="utf-8") for page in pages)


def test_no_picture_is_left_over():
    there = {path.name for path in (DOCS / "_static").glob("guide-*")}
    assert there == set(FILES.values())


# those that need no network and no run of the command line
@pytest.mark.parametrize(
    "name",
    ["groups", "scaling", "cli", "trust", "install", "frontier", "holds", "rooms", "clusters"],
)
def test_it_is_drawn(name, tmp_path):
    guide_figures.main(str(tmp_path), name)
    written = (tmp_path / FILES[name]).read_text(encoding="utf-8")
    assert written.lstrip().startswith("<?xml")
    assert not plt.get_fignums()


def test_tables_of_pages_are_read():
    page = """
======== == =====
setting  of share
======== == =====
first    a  0.5
**2nd,   b  **0.6**
long**
third       0.7
======== == =====
"""
    assert guide_figures.table_of(page, "setting") == [
        ["first", "a", "0.5"],
        ["2nd,\nlong", "b", "0.6"],
        ["third", "", "0.7"],
    ]
