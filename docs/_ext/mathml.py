"""Formulas as MathML, made when the pages are: a reader needs neither a network nor a script.

``latex2mathml`` converts. It passes on what it does not understand (an unknown command becomes a
word of that spelling), so what it makes is checked here, and a formula that is not understood
whole is an error of the build.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

from docutils import nodes

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
#: Environments that the converter lays out; of others it keeps the content in one line.
ENVIRONMENTS = {
    "split", "align", "align*", "cases", "array",
    "matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix", "smallmatrix",
}  # fmt: skip
#: How many children an element must have.
CHILDREN = {
    "mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "mroot": 2,
    "msubsup": 3, "munderover": 3,
}  # fmt: skip
#: Accents: the spacing character that a browser sets above a letter, by what the converter writes.
ACCENTS = {"^": "\u02c6", "~": "\u02dc", "\u00af": "\u00af"}

#: Elements with indices, and those that have them above and below.
SCRIPTED = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
SCRIPTED |= {name: name for name in SCRIPTED.values()}
LIMITED = {"\u2211", "\u220f", "\u22c3", "\u22c2", "\u2a01", "max", "min", "sup", "inf", "lim"}
#: What the converter takes for variables of several letters.
FUNCTIONS = {"log", "ln", "lg", "exp", "dim", "det", "ker", "deg", "gcd", "arg", "Pr"}
BRACE = "\u23df"


class FormulaError(ValueError):
    """A formula that would not be shown as it is meant."""


def to_mathml(formula: str, *, block: bool = False) -> str:
    """Return a formula of LaTeX as a MathML element.

    Parameters
    ----------
    formula : str
        What stands in a ``math`` role or directive. Lines that end in two backslashes are
        aligned at ``&``.
    block : bool, default=False
        Whether the formula stands by itself.

    Returns
    -------
    mathml : str
        The element, with the LaTeX as its ``alttext``.

    Raises
    ------
    FormulaError
        If any part of the formula is not understood.
    """
    from latex2mathml.converter import convert

    formula = " ".join(formula.split())
    unknown = set(re.findall(r"\\begin\{([^}]*)\}", formula)) - ENVIRONMENTS
    if unknown:
        raise FormulaError(f"unknown environment {unknown.pop()!r} in {formula!r}")
    bare = re.sub(r"\\.", "", formula)
    if bare.count("{") != bare.count("}"):
        raise FormulaError(f"braces do not match in {formula!r}")
    if r"\\" in formula and r"\begin" not in formula:
        formula = rf"\begin{{split}}{formula}\end{{split}}"
    try:
        made = convert(formula, display="block" if block else "inline")
        # the converter leaves what it does not know as it was written, ampersands too
        tree = ET.fromstring(re.sub(r"&(?!#?\w+;)", "&amp;", made))
    except Exception as error:  # it has a dozen classes of them, without a base of their own
        raise FormulaError(f"{type(error).__name__} in {formula!r}") from error
    _check(tree, formula)
    _mend(tree)
    if block:
        _put_limits_below(tree)
    tree.set("alttext", formula)
    ET.register_namespace("", NAMESPACE)
    return ET.tostring(tree, encoding="unicode")


def _check(tree: ET.Element, formula: str) -> None:
    allowed = "{}" if re.search(r"\\[{}]", formula) else ""
    for element in tree.iter():
        for strange in set(element.text or "") & set("\\&{}") - set(allowed):
            word = "unknown command" if strange == "\\" else "not understood:"
            raise FormulaError(f"{word} {element.text!r} in {formula!r}")
        wanted = CHILDREN.get(_name(element))
        if wanted is not None and len(element) != wanted:
            raise FormulaError(f"{_name(element)} of {len(element)} parts in {formula!r}")


def _mend(tree: ET.Element) -> None:
    """Set bars, slashes, accents and names of functions as TeX does."""
    for row in tree.iter():
        for element, following in zip(row, [*row[1:], None], strict=False):
            _space(element, following)
    for element in tree.iter():
        if element.get("width") == "negativethinmathspace":  # a name that MathML has dropped
            element.set("width", "0")  # and names of functions leave none to take back
        if _name(element) == "munder" and len(element) == 2 and element[1].text == BRACE:
            # Chromium draws a brace too short below what stretches itself: a line, by custom.css
            element.tag = element.tag.replace("munder", "mrow")
            element.set("class", "underbrace")
            element.remove(element[1])
        # what stands between letters counts as an operator for a browser, which adds space
        if _name(element) == "mo" and element.text in {"|", "/", "\u2016"}:
            element.set("lspace", "0")
            element.set("rspace", "0")
            if "stretchy" not in element.attrib:
                element.set("stretchy", "false")
        if _name(element) == "mover" and (accent := element[1]).text in ACCENTS:
            element.set("accent", "true")
            accent.text = ACCENTS[accent.text]
            accent.set("stretchy", "false")


def _space(element: ET.Element, following: ET.Element | None) -> None:
    """Leave a thin space around the name of a function, none before a parenthesis."""
    core = element
    while _name(core) in SCRIPTED:
        core = core[0]
    if _name(core) == "mi" and core.text in FUNCTIONS:
        core.tag = core.tag.replace("mi", "mo")
    if _name(core) == "mo" and (core.text or "").isalpha():
        text = "".join(following.itertext()) if following is not None else ""
        core.set("lspace", "0.167em")
        core.set("rspace", "0" if text.startswith(("(", "[")) or not text else "0.167em")


def _put_limits_below(element: ET.Element) -> None:
    """Put what a sum or a maximum runs over below it, where there is room for it."""
    if _name(element) in SCRIPTED and element[0].text in LIMITED:
        element.tag = element.tag.replace(_name(element), SCRIPTED[_name(element)])
    if _name(element) == "mfrac" or element.get("displaystyle") == "false":
        return
    for child in element[:1] if _name(element) in CHILDREN else element:
        _put_limits_below(child)


def _name(element: ET.Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _converted(translator: Any, node: nodes.Element, *, block: bool) -> str:
    try:
        return to_mathml(node.astext(), block=block)
    except FormulaError as error:
        from sphinx.util import logging

        # where warnings are errors, this is one
        logging.getLogger(__name__).warning("%s", error, location=node)
        return translator.encode(node.astext())


def visit_math(translator: Any, node: nodes.Element) -> None:
    """Write a formula that stands in a line of text."""
    translator.body.append(translator.starttag(node, "span", "", CLASS="math notranslate"))
    translator.body.append(_converted(translator, node, block=False) + "</span>")
    raise nodes.SkipNode


def visit_displaymath(translator: Any, node: nodes.Element) -> None:
    """Write a formula that stands by itself, with its number where it has one."""
    from sphinx.locale import _
    from sphinx.util.math import get_node_equation_number

    translator.body.append(translator.starttag(node, "div", CLASS="math notranslate"))
    if node["number"]:
        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
        translator.add_permalink_ref(node, _("Link to this equation"))
        translator.body.append("</span>")
    # the directive separates formulas by empty lines
    parts = [part for part in node.astext().split("\n\n") if part.strip()]
    for part in parts:
        one = nodes.math_block(part, part)
        one.source, one.line = node.source, node.line
        translator.body.append(_converted(translator, one, block=True))
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer: ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
