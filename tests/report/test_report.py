from __future__ import annotations

import os
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral, SymmetryAnalyzer
from sklearn_groupcross.groups import Quaternion
from sklearn_groupcross.report import write_report
from sklearn_groupcross.report._evidence import (
    choose_elements,
    choose_features,
    gather_evidence,
    strongest_samples,
)


@pytest.fixture(scope="module")
def analysis(small_crosscoder):
    return SymmetryAnalyzer().fit(small_crosscoder)


@pytest.fixture(scope="module")
def orbits(small_dataset):
    return small_dataset.as_array()


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


def test_responses_are_codes_of_the_transformed_patch(small_crosscoder, small_dataset, orbits):
    codes = small_crosscoder.transform(orbits)
    feature = int(codes.sum(0).argmax())
    evidence = gather_evidence(
        feature,
        crosscoder=small_crosscoder,
        dataset=small_dataset,
        orbits=orbits,
        codes=codes[:, feature],
        elements=[0, 3, 5],
        n_patches=4,
    )
    assert evidence.responses[0] == pytest.approx(1.0)
    sample = evidence.samples[0]
    group = small_dataset.group
    # the orbit of h·x has the identity block O[h]: transform the permuted orbit instead
    for h, response in zip([0, 3, 5], evidence.responses, strict=True):
        moved = orbits[sample][group.right_translation(h)][None]
        code = small_crosscoder.transform(moved)[0, feature]
        assert response == pytest.approx(code / codes[sample, feature], abs=1e-5)
    images = small_dataset.image_ids_[list(evidence.samples)]
    assert len(set(images)) == len(images)


def test_a_feature_that_no_sample_excites_has_no_evidence(small_crosscoder, small_dataset, orbits):
    evidence = gather_evidence(
        0,
        crosscoder=small_crosscoder,
        dataset=small_dataset,
        orbits=orbits,
        codes=np.zeros(len(orbits)),
        elements=[0],
        n_patches=4,
    )
    assert evidence is None


def test_strongest_samples_come_from_different_images():
    codes = np.array([5.0, 4.0, 3.0, 2.0, 0.0])
    assert strongest_samples(codes, np.array([0, 0, 1, 2, 3]), 4) == [0, 2, 3]
    assert strongest_samples(codes, np.arange(5), 2) == [0, 1]


def test_rare_kinds_are_not_lost(analysis):
    kinds = analysis.kinds_.copy()
    try:
        analysis.kinds_ = np.array(["other"] * 23 + ["line"], dtype=object)
        frequencies = np.linspace(1, 0.1, 24)
        assert choose_features(analysis, frequencies, 3) == [23, 0, 1]
        frequencies[23] = 0
        assert choose_features(analysis, frequencies, 3) == [0, 1, 2]
    finally:
        analysis.kinds_ = kinds


@pytest.mark.parametrize(
    ("group", "elements"),
    [
        (Dihedral(16), [0, 2, 4, 6, 8, 12, 16, 20]),
        (Cyclic(16), [0, 2, 4, 6, 8, 10, 12, 14]),
        (Dihedral(4), list(range(8))),
        (Cyclic(3), [0, 1, 2]),
        (Quaternion(), list(range(8))),
    ],
    ids=repr,
)
def test_eight_elements_are_shown(group, elements):
    assert choose_elements(group) == elements


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
