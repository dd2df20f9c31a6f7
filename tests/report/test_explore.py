from __future__ import annotations

import html
import re

import pytest

from sklearn_groupcross import SymmetryAnalyzer
from sklearn_groupcross.report import ReportSubject, explore, write_report


def framed(explorer):
    (page,) = re.findall('srcdoc="([^"]*)"', explorer._repr_html_())
    return html.unescape(page)


def test_a_notebook_shows_the_page_of_the_report(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path
):
    about = (analysis, small_crosscoder, small_dataset, orbits)
    explorer = explore(*about, height=333)
    write_report(tmp_path / "report.html", *about, title="Explorer")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert framed(explorer) == page
    assert 'height="333"' in explorer._repr_html_()
    # scripts of the page have nothing to do with the notebook
    assert "allow-same-origin" not in explorer._repr_html_()
    explorer.save(tmp_path / "saved.html")
    assert (tmp_path / "saved.html").read_text(encoding="utf-8") == page
    assert re.fullmatch(r"<Explorer, [\d.]+ MB: .*save\(path\).*>", repr(explorer))


def test_an_analysis_explores_itself(analysis):
    other = ReportSubject(analysis, name="the same")
    page = framed(analysis.explore(other=other, title="Of its own"))
    assert "<title>Of its own</title>" in page
    with pytest.raises(Exception, match="not fitted"):
        SymmetryAnalyzer().explore()
