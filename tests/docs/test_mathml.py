"""Formulas of the documentation: whole, or an error."""

from __future__ import annotations

import re
import textwrap

import pytest

from .extensions import ROOT, load_extension

pytest.importorskip("latex2mathml")


mathml = load_extension("mathml")
SOURCES = [
    *(ROOT / "docs").glob("*.rst"),
    *(ROOT / "docs" / "guide").rglob("*.rst"),
    *(ROOT / "sklearn_groupcross").rglob("*.py"),
    *(ROOT / "examples").glob("*.py"),
]


def formulas():
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        for role in re.findall(r":math:`([^`]*)`", text):
            yield role, False
        for found in re.finditer(r"^( *)\.\. math:: ?(.*\n(?:\n|\1   .*\n)*)", text, re.MULTILINE):
            yield re.sub(r":label: .*", "", textwrap.dedent(found[2])).strip(), True


def test_every_formula_is_understood():
    found = {*formulas()}
    assert len(found) > 50
    for formula, block in found:
        made = mathml.to_mathml(formula, block=block)
        assert made.startswith("<math ")
        assert "\\" not in re.sub(r'alttext="[^"]*"', "", made)


@pytest.mark.parametrize(
    "formula",
    [
        r"\unknown{3}",
        r"\begin{foo} 1 \end{foo}",
        r"\frac1",
        r"\left( x",
        r"\text{at the {x} place}",
        "a & b",
        "a_{b",
        "a}",
        "x_",
        "x_1_2",
    ],
)
def test_what_is_not_understood_is_an_error(formula):
    with pytest.raises(mathml.FormulaError):
        mathml.to_mathml(formula)


def test_lines_are_aligned():
    made = mathml.to_mathml("a &= b \\\\\n c &= d", block=True)
    assert made.count("<mtr>") == 2
    assert 'display="block"' in made


def test_a_hat_stands_over_its_letter_alone():
    made = mathml.to_mathml(r"\hat W_i")
    assert re.search(r"<msub><mover accent=.true.><mi>W</mi><mo [^>]*>ˆ</mo></mover>", made)


def test_bars_take_no_space():
    made = mathml.to_mathml(r"t\,|G|")
    assert made.count('<mo stretchy="false" lspace="0" rspace="0">|</mo>') == 2


def test_limits_stand_below_where_there_is_room():
    formula = r"\min_s \underbrace{\sum_i^n x_i}_{a} \frac{\sum_j y}{2}"
    block = mathml.to_mathml(formula, block=True)
    assert (block.count("<munderover>"), block.count("<munder>")) == (1, 2)
    assert '<mrow class="underbrace">' in block
    assert "<msub><mo>∑</mo>" in block, "in a fraction there is none"
    assert "<munder>" not in mathml.to_mathml(r"\min_s \sum_i x_i")


def test_names_of_functions_stand_close_to_parentheses():
    made = mathml.to_mathml(r"\max(a, b) \log x")
    assert re.findall('rspace="([^"]*)">(max|log)', made) == [("0", "max"), ("0.167em", "log")]
