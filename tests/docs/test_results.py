"""Numbers of the documentation: those of their tables."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from .extensions import ROOT, load_extension

pytest.importorskip("docutils")
pytest.importorskip("sphinx")

results = load_extension("results")

SUMMARY = "what,value,low,high\nfound_again,0.88731,0.861,0.91\nfell,-0.304,-0.4,-0.2\nnone,,,\n"
KINDS = "kind,seed,n,value\nlines,0,1024,3.2e-05\nlines,1,980,0.5\nlines,1,980,0.5\n"


@pytest.fixture
def tables(tmp_path):
    folder = tmp_path / "reproduction" / "tables"
    (folder / "full").mkdir(parents=True)
    (folder / "full" / "families-summary.csv").write_text(SUMMARY)
    (folder / "full" / "families-kinds.csv").write_text(KINDS)
    record = {"seconds": 720, "settings": {"n_train": 520, "seeds": [0, 1, 2]}}
    (folder / "full" / "families.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("0.89", "full/families-summary/found_again/value"),
        ("0.8873", "full/families-summary/found_again/value"),
        ("89 %", "full/families-summary/found_again/value"),
        ("88.7%", "full/families-summary/found_again/value"),
        ("−0.3", "full/families-summary/fell/value"),
        ("-0.30", "full/families-summary/fell/value"),
        ("1,024", "full/families-kinds/lines,0/n"),
        ("1024", "full/families-kinds/lines,0/n"),
        ("3e-5", "full/families-kinds/lines,0/value"),
        ("720", "full/families.json/seconds"),
        ("520", "full/families.json/settings.n_train"),
        ("3", "full/families.json/settings.seeds"),
    ],
)
def test_what_a_table_has(text, source, tables):
    results.check(text, source, tables)


@pytest.mark.parametrize(
    ("text", "source", "words"),
    [
        ("0.88", "full/families-summary/found_again/value", "0.88731"),
        ("0.9 %", "full/families-summary/found_again/value", "0.88731"),
        ("0.3", "full/families-summary/fell/value", "-0.304"),
        ("1,000", "full/families-kinds/lines,0/n", "1024"),
        ("0.00003", "full/families-kinds/lines,0/n", "1024"),
        ("0", "full/families-summary/none/value", "empty"),
        ("many", "full/families-summary/fell/value", "many"),
        ("0.5", "full/families-kinds/lines,1/value", "2 rows"),
        ("0.5", "full/families-kinds/circles/value", "0 rows"),
        ("0.5", "full/families-summary/fell/median", "it has what, value, low, high"),
        ("0.5", "full/circles/fell/value", "full/circles.csv does not exist"),
        ("0.5", "full/families.json/settings.n_test", "has no 'settings.n_test'"),
        ("0.5", "families-summary/fell", "is no source"),
        ("0.5", "", "is no source"),
    ],
)
def test_what_it_does_not_have(text, source, words, tables):
    with pytest.raises(results.ResultError, match=words):
        results.check(text, source, tables)


@pytest.mark.parametrize(
    ("text", "value", "new"),
    [
        ("0.12", "0.8873", "0.89"),
        ("12 %", "0.8873", "89 %"),
        ("+0.12", "0.3", "+0.30"),
        ("+0.12", "-0.3", "−0.30"),
        ("0.12", "-0.001", "0.00"),
        ("980", "24000", "24,000"),
        ("1980", "24000", "24000"),
        ("1.0e-5", "0.00032", "3.2e-4"),
        ("holds", "does not hold", "does not hold"),
    ],
)
def test_what_is_written_in_place_is_right(text, value, new):
    assert results.rewritten(text, value) == new
    assert results.says(new, value)


@pytest.mark.parametrize("number", ["0.89", "0.98"])
def test_a_page_with_a_wrong_number_is_not_built(number, tables):
    source = tables.parents[1]
    extension = str(ROOT / "docs" / "_ext")
    (source / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {extension!r})\nextensions = ['results']\n"
    )
    role = f":result:`{number} <full/families-summary/found_again/value>`"
    (source / "index.rst").write_text(f"Page\n====\n\nIt is\n{role} of all.\n")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", ".", "out"],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    if number == "0.89":
        assert built.returncode == 0, built.stderr
        page = (source / "out" / "index.html").read_text()
        title = 'title="full: families-summary, found_again, value"'
        assert f'<span class="result" {title}>0.89</span>' in page
    else:
        assert built.returncode != 0
        assert "index.rst:" in built.stderr
        assert "'0.98' is '0.88731' in full/families-summary" in built.stderr
