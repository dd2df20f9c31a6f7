from __future__ import annotations

import sys

import pytest

pytest.importorskip("sphinx")

from tools.check_results import bare_numbers, check_text, main

SOURCE = "full/families-summary/found again/value"


@pytest.fixture
def tables(tmp_path):
    folder = tmp_path / "tables" / "full"
    folder.mkdir(parents=True)
    (folder / "families-summary.csv").write_text("what,value\nfound again,0.8873\nkind,lines\n")
    return folder.parent


TEXTS = {
    ".rst": f"Of all,\n:result:`{{}} <{SOURCE}>` are found again.\n",
    ".md": f"| a | ({{}}<!-- {SOURCE} --> of all) | 7 |\n<!-- a comment -->\n",
    ".cff": f"# results:\n#   {{}}: {SOURCE}\nabstract: >-\n  We find {{}}, 1{{}} and 0.5.\n",
}


@pytest.mark.parametrize("suffix", TEXTS)
@pytest.mark.parametrize(("wrong", "right"), [("0.85", "0.89"), ("85 %", "89 %"), ("+0.9", "+0.9")])
def test_wrong_numbers_are_found_and_replaced(suffix, wrong, right, tables):
    form = TEXTS[suffix] if suffix != ".cff" else TEXTS[suffix].replace("1{}", "1.5")
    good = form.format(*[right] * 2)
    assert check_text(good, suffix, tables) == (good, 1, [])
    if wrong == right:
        return
    bad = form.format(*[wrong] * 2)
    same, _, faults = check_text(bad, suffix, tables)
    assert same == bad
    assert [(line, "'0.8873'" in fault) for line, fault in faults] == [
        ({".rst": 2, ".md": 1, ".cff": 2}[suffix], True)
    ]
    assert check_text(bad, suffix, tables, write=True) == (good, 1, [])


def test_words(tables):
    for text, suffix in (
        (":result:`{} <full/families-summary/kind/value>`", ".rst"),
        ("They are {}<!-- full/families-summary/kind/value -->.", ".md"),
    ):
        assert not check_text(text.format("lines"), suffix, tables)[2]
        for write in (False, True):  # they are no numbers: somebody has to read the sentence
            assert len(check_text(text.format("curves"), suffix, tables, write=write)[2]) == 1


def test_a_listed_number_must_stand_in_the_file(tables):
    text = TEXTS[".cff"].format("0.89", "0.12", "0")
    assert "stands 0 times" in check_text(text, ".cff", tables)[2][0][1]


def test_what_may_stand_in_a_page():
    page = """
    Part 10: 3 questions
    ====================

    At layer 3b (mixed4c, ``k = 48``) under D32, see Parts 1 and 2 and claim 10a,
    curves need 360° and lines 22.5°, with 95 % intervals,
    of 30 November 2026, in 2024 [1]_, arXiv:2410.24184 and |G|,
    :result:`0.89 <full/families-summary/found again/value>`, :math:`x^2`, `Dihedral(32)`, two,
    https://arxiv.org/abs/2410.24184.

    .. csv-table:: What was found
       :file: tables/full/families-summary.csv
       :widths: 10 20

    .. figure:: figure.svg
       :width: 700px

       All families.

    .. code-block:: console

       $ python -m examples.reproduction --seed 3

    .. toctree::
       :maxdepth: 1

       part-1

    .. [1] A source of 2024.
    """
    lines = page.replace("\n    ", "\n")
    assert list(bare_numbers(lines)) == []


@pytest.mark.parametrize(
    ("text", "line", "number"),
    [
        ("Of all features\n0.89 are found.", 2, "0.89"),
        ("Some 89 %.", 1, "89 %"),
        ("- item\n- 1,024 features", 2, "1,024"),
        (".. figure:: a.svg\n\n   Of 12 families.", 3, "12"),
        (".. csv-table:: Of 12 families\n   :file: a.csv", 1, "12"),
        (".. csv-table::\n\n   a, 12", 3, "12"),
        (".. note::\n\n   There are 12.", 3, "12"),
        (".. seealso::\n\n   There are 12.", 3, "12"),
        ("=== ===\na   12\n=== ===", 2, "12"),
        ("*Seed 3*", 1, "3"),
    ],
)
def test_what_may_not(text, line, number):
    assert list(bare_numbers(text)) == [(line, number)]


def test_command(tables, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.rst"
    page.write_text(f"The share is :result:`0.85 <{SOURCE}>`.\n")
    command = ["check_results", str(tmp_path), "--tables", str(tables)]
    monkeypatch.setattr(sys, "argv", command)
    assert main() == 1
    assert f"{page}:1: '0.85' is '0.8873' in {SOURCE}" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [*command, "--write"])
    assert main() == 0
    assert ":result:`0.89 <" in page.read_text()
    page.write_text("The share is 0.89.\n")
    assert main() == 1
    assert "page.rst:1: '0.89' has no source" in capsys.readouterr().out
