from __future__ import annotations

import os
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from sklearn_groupcross import Cyclic
from sklearn_groupcross.actions import TimeShiftAction
from sklearn_groupcross.report import _report, write_report


class Page(HTMLParser):
    """Checks that tags close in order, and collects what the page refers to."""

    void = {"meta", "img", "br", "line", "polyline", "input"}

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.rows = [], [], 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.sources += [attributes[k] for k in ("src", "href") if k in attributes]
        self.rows += str(attributes.get("id", "")).startswith("f") and tag == "tr"
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag


def test_the_report_is_one_file_that_loads_nothing(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path
):
    path = tmp_path / "report.html"
    write_report(
        path,
        analysis,
        small_crosscoder,
        small_dataset,
        orbits,
        summary={"network": "<small & simple>"},
        title="A title",
        max_features=7,
    )
    assert os.listdir(tmp_path) == ["report.html"]
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.rows == 7
    assert all(source.startswith(("data:image/", "#f")) for source in page.sources)
    assert "http" not in re.sub(r"data:[^\"]*", "", text)
    assert "&lt;small &amp; simple&gt;" in text


def test_names_from_outside_are_text_and_nothing_else(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path
):
    name = "<script>alert('&\x1b[31m\0\udcff\u202e')</script>"
    path = tmp_path / "report.html"
    write_report(
        path,
        analysis,
        small_crosscoder,
        small_dataset,
        orbits,
        summary={name: name, "number": 7},
        title=name,
        max_features=1,
    )
    text = path.read_bytes().decode("utf-8")
    Page(text)
    assert text.count("<script>") == 1  # the page's own
    shown = r"&lt;script&gt;alert(&#39;&amp;\u001b[31m\u0000\udcff\u202e&#39;)&lt;/script&gt;"
    assert text.count(shown) == 4
    assert text.replace("\n", "").replace("\xa0", "").isprintable()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_and_a_long_name(analysis, small_crosscoder, small_dataset, orbits, tmp_path):
    there = tmp_path / ("r" * 250 + ".html")
    link = tmp_path / "report.html"
    link.symlink_to(there)
    write_report(link, analysis, small_crosscoder, small_dataset, orbits, max_features=1)
    assert link.is_symlink()
    Page(there.read_text(encoding="utf-8"))
    assert sorted(os.listdir(tmp_path)) == sorted([there.name, "report.html"])


def test_the_report_reaches_the_disk(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, monkeypatch
):
    acts = []
    for name in ("fsync", "replace"):
        act = getattr(os, name)

        def noted(*args, name=name, act=act):
            acts.append(name)
            return act(*args)

        monkeypatch.setattr(os, name, noted)
    write_report(
        tmp_path / "report.html", analysis, small_crosscoder, small_dataset, orbits, max_features=1
    )
    # the content before the name, and the name as well
    assert acts == ["fsync", "replace", "fsync"]


def test_nothing_half_written(analysis, small_crosscoder, small_dataset, orbits, tmp_path):
    with pytest.raises(FileNotFoundError):
        write_report(
            tmp_path / "absent" / "report.html", analysis, small_crosscoder, small_dataset, orbits
        )
    assert os.listdir(tmp_path) == []


def test_without_jinja_the_message_says_what_to_install(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"sklearn-groupcross\[report\]"):
        write_report(tmp_path / "report.html", analysis, small_crosscoder, small_dataset, orbits)


def test_orbits_are_read_from_the_dataset_or_shown_without_it(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, monkeypatch
):
    monkeypatch.setattr(_report, "MIN_FEATURES_FOR_A_MAP", 999)
    pages = {}
    for name, given in {
        "both": (small_dataset, orbits),
        "dataset": (small_dataset,),
        "orbits": (None, orbits),
    }.items():
        path = tmp_path / f"{name}.html"
        write_report(path, analysis, small_crosscoder, *given, max_features=2)
        pages[name] = path.read_text(encoding="utf-8")
    assert pages["both"] == pages["dataset"]
    assert pages["both"].count("data:image/jpeg") > 0
    assert pages["orbits"].count("data:image/jpeg") == 0
    assert Page(pages["orbits"]).rows == 2


def test_what_does_not_belong_together_is_refused(analysis, small_crosscoder, orbits, tmp_path):
    path = tmp_path / "report.html"
    with pytest.raises(ValueError, match="Give orbits, or the dataset"):
        write_report(path, analysis, small_crosscoder)
    other = TimeShiftAction(Cyclic(7))
    with pytest.raises(ValueError, match=r"analysis is over .* acts by Cyclic\(7\)"):
        write_report(path, analysis, small_crosscoder, orbits=orbits, action=other)
    with pytest.raises(ValueError, match="one for each orbit"):
        write_report(path, analysis, small_crosscoder, orbits=orbits, inputs=np.ones((2, 8)))
    assert os.listdir(tmp_path) == []
