"""Explorers of the gallery become files."""

from __future__ import annotations

from types import SimpleNamespace

from sklearn_groupcross.report import Explorer

from .extensions import load_extension

explorers = load_extension("explorers")


def test_an_explorer_is_saved_once_and_shown_in_a_frame(tmp_path):
    def scrape(**variables):
        block_vars = {"example_globals": known | variables, "src_file": "/x/plot_it.py"}
        shown = explorers.save_explorers(None, block_vars, {"src_dir": str(tmp_path)})
        known.update(block_vars["example_globals"])
        return shown

    known = {}
    file = tmp_path / explorers.FOLDER / "explorers" / "plot_it.html"
    assert scrape(explorer="of something else") == ""
    assert not file.exists()
    assert 'src="../explorers/plot_it.html"' in scrape(explorer=Explorer("<p>page</p>", 300))
    assert file.read_text() == "<p>page</p>"
    assert scrape() == ""  # in the next block


def test_its_folder_is_copied_and_is_no_source(tmp_path):
    config = SimpleNamespace(html_extra_path=[], exclude_patterns=["_build"])
    explorers.keep_folder(SimpleNamespace(srcdir=tmp_path), config)
    assert (tmp_path / explorers.FOLDER).is_dir()
    assert config.html_extra_path == [explorers.FOLDER]
    assert explorers.FOLDER in config.exclude_patterns
