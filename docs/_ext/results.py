"""Sphinx extension: numbers in the text that come from tables, and are compared with them.

``:result:`89 % <full/families-summary/found_again/value>``` is a number and its source: the scale,
the table (``docs/reproduction/tables/full/families-summary.csv``), a row by its first column
(``a,b``: by its first two, and so on), and a column. The number has to be what the table has,
rounded to as many digits as are written; otherwise the build warns. A source may be a stage's
record: ``:result:`520 <full/families.json/settings.n_train>```. The page shows the number, and
where it comes from to whoever points at it. ``tools/check_results.py`` checks the same in other
files.
"""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from docutils import nodes

#: Where the tables are, in the folder of the documentation.
TABLES = Path("reproduction", "tables")

#: A number as it is written: a sign, commas between thousands, digits, a power, a percent sign.
NUMBER = re.compile(
    r"(?P<sign>[+\-−]?)(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?P<power>e[+\-−]?\d+)?(?P<percent>[ \u00a0\u202f]?%)?"
)


class ResultError(ValueError):
    """A number that is not the table's, or a source that leads nowhere."""


class Source(NamedTuple):
    """Where a number comes from."""

    scale: str
    table: str
    key: str
    column: str

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read ``scale/table/key/column``, or ``scale/stage.json/setting``.

        >>> Source.parse("full/families-summary/found_again/value").key
        'found_again'
        """
        scale, _, rest = text.strip().partition("/")
        table, _, rest = rest.partition("/")
        key, _, column = rest.rpartition("/")
        if table.endswith(".json") and rest and not key:
            return cls(scale, table, rest, "")
        if not all((scale, table, key, column)) or table.endswith(".json"):
            raise ResultError(
                f"{text!r} is no source: scale/table/key/column or scale/stage.json/name"
            )
        return cls(scale, table, key, column)

    def look_up(self, tables: Path) -> str:
        """What the table says.

        Parameters
        ----------
        tables : Path
            Folder of the scales.
        """
        if self.table.endswith(".json"):
            value = json.loads(self._text_of(tables / self.scale / self.table))
            for name in self.key.split("."):
                if not isinstance(value, dict) or name not in value:
                    raise ResultError(f"{self.scale}/{self.table} has no {self.key!r}")
                value = value[name]
            return str(len(value) if isinstance(value, list) else value)
        text = self._text_of(tables / self.scale / f"{self.table}.csv")
        header, *rows = csv.reader(text.splitlines())
        where = f"{self.scale}/{self.table}.csv"
        if self.column not in header:
            raise ResultError(f"{where} has no column {self.column!r}; it has {', '.join(header)}")
        found = [row for row in rows if self.key in (",".join(row[:n]) for n in range(1, len(row)))]
        if len(found) != 1:
            raise ResultError(f"{where} has {len(found)} rows {self.key!r}; it must be one")
        return found[0][header.index(self.column)]

    @staticmethod
    def _text_of(path: Path) -> str:
        if not path.is_file():
            raise ResultError(f"{path.parent.name}/{path.name} does not exist")
        return path.read_text(encoding="utf-8")


def says(text: str, value: str) -> bool:
    """Whether a text is a table's value, rounded to the digits that the text has.

    >>> says("0.89", "0.88731"), says("89 %", "0.88731"), says("0.887", "0.88751")
    (True, True, False)
    >>> says("24,000", "24000"), says("−0.1", "-0.08"), says("holds", "holds in part")
    (True, True, False)
    """
    written, exact = NUMBER.fullmatch(text.strip()), _decimal(value)
    if written is None or exact is None:
        return text.strip() == value
    number = _decimal_of(written)
    half_a_digit = Decimal(5).scaleb(_exponent(number) - 1)
    return abs(number - _scaled(written, exact)) <= half_a_digit


def rewritten(text: str, value: str) -> str:
    """A table's value in the form that a text has: its digits, signs, commas and percent.

    >>> rewritten("89 %", "0.9049"), rewritten("0.12", "-0.304"), rewritten("980", "1024")
    ('90 %', '−0.30', '1,024')
    """
    written, exact = NUMBER.fullmatch(text.strip()), _decimal(value)
    if written is None or exact is None:
        return value
    unit = Decimal(1).scaleb(_exponent(_decimal_of(written)))
    rounded = _scaled(written, exact).quantize(unit)
    sign = {-1: "−", 0: "", 1: "+" if written["sign"] == "+" else ""}[_sign_of(rounded)]
    if written["power"]:
        decimals = len(written["digits"].partition(".")[2])
        digits = f"{abs(_scaled(written, exact)):.{decimals}e}".replace("e+", "e")
    else:
        commas = "," in written["digits"] or abs(_decimal_of(written)) < 1000
        digits = f"{abs(rounded):{',' if commas else ''}f}"
    return sign + digits + (written["percent"] or "")


def check(text: str, source: str, tables: Path) -> str:
    """Return what a table says; a text that says something else is an error.

    Parameters
    ----------
    text : str
        A number as it is written, or words.
    source : str
        See `Source.parse`.
    tables : Path

    Returns
    -------
    value : str
    """
    value = Source.parse(source).look_up(tables)
    if not says(text, value):
        raise ResultError(f"{text!r} is {value or 'empty'!r} in {source}")
    return value


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _decimal_of(written: re.Match[str]) -> Decimal:
    number = written["sign"] + written["digits"].replace(",", "") + (written["power"] or "")
    return Decimal(number.replace("−", "-"))


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # a finite number's is
    return exponent


def _scaled(written: re.Match[str], exact: Decimal) -> Decimal:
    return exact * 100 if written["percent"] else exact


def _sign_of(number: Decimal) -> int:
    return (number > 0) - (number < 0)


class result(nodes.inline):
    """A number that shows where it comes from."""


def result_role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Any, *_: Any
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Make the node of ``:result:`TEXT <SOURCE>```, and warn of what the table denies."""
    from sphinx.util import logging

    env = inliner.document.settings.env
    location = (env.docname, lineno)
    logger = logging.getLogger(__name__)
    shown, source = split_role(text)
    try:
        parsed = Source.parse(source)
        file = parsed.table if parsed.table.endswith(".json") else f"{parsed.table}.csv"
        tables = Path(env.srcdir, TABLES)
        env.note_dependency(str(tables / parsed.scale / file))
        check(shown, source, tables)
    except ResultError as error:
        logger.warning(str(error), location=location, type="results")
    where = source.replace("/", ": ", 1).replace("/", ", ")
    return [result(rawtext, shown, title=where)], []


def split_role(text: str) -> tuple[str, str]:
    """Part ``TEXT <SOURCE>``; without a source it is empty."""
    found = re.fullmatch(r"\s*(.*?)\s*<([^<>]*)>\s*", text, re.DOTALL)
    return (" ".join(found[1].split()), found[2]) if found else (text, "")


def visit_result(self: Any, node: nodes.Element) -> None:
    """Open an element with the source as its title."""
    self.body.append(self.starttag(node, "span", "", CLASS="result", title=node["title"]))


def depart_result(self: Any, node: nodes.Element) -> None:
    """Close it."""
    self.body.append("</span>")


def _plain(self: Any, node: nodes.Element) -> None:
    """Leave the text as it is."""


def setup(app: Any) -> dict[str, bool]:
    """Register the role."""
    others = dict.fromkeys(("latex", "text", "man", "texinfo"), (_plain, _plain))
    app.add_node(result, html=(visit_result, depart_result), **others)
    app.add_role("result", result_role)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
