"""Check numbers in texts against the tables that they come from.

    python -m tools.check_results docs/reproduction README.md CITATION.cff

``docs/_ext/results.py`` says what a source is, and when a number is a table's. It is given

- in reStructuredText by a role, ``:result:`0.89 <full/families-summary/found_again/value>```;
- in Markdown by a comment, ``0.89<!-- full/families-summary/found_again/value -->``;
- in CITATION.cff by comments after the line ``# results:``, such as
  ``#   0.89: full/families-summary/found_again/value``; the number must stand in the file itself.

``--write`` replaces numbers that are not the table's (words are left to people). No other number
may stand in the running text of reStructuredText that is given here. What may: numbers in code and
``literals``, formulas, titles, options, and tables that are read from files; names (D32, mixed4c,
3b), angles with their °, years, dates, arXiv numbers, "Part 1", claims (10a), and the 95 % of
intervals.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives, roles
from sphinx.util.docutils import docutils_namespace

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "_ext"))
from results import NUMBER, TABLES, ResultError, Source, check, rewritten, split_role

ROOT = Path(__file__).parents[1]
ROLE = re.compile(r":result:`([^`]*)`")
COMMENT = re.compile(r"<!--\s*([\w.-]+/[^>]+?)\s*-->")
LISTED = re.compile(r"^#   (.+?): (\S.*)$")

_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_NUMBERED = r"(?:[Pp]arts?|[Ff]igures?|[Tt]ables?|[Ss]ections?|[Cc]laims?)"
#: What may hold digits in running text.
ALLOWED = re.compile(
    "|".join(
        [
            r"arXiv[: ]\d{4}\.\d{4,5}",
            rf"{_NUMBERED} \d+[a-h]?(?:(?:, | and | to |–)\d+[a-h]?)*",
            rf"\d{{1,2}} {_MONTH}(?: \d{{4}})?",
            r"\b(?:19|20)\d\d(?:-\d\d-\d\d)?\b(?!,\d|\.\d|\s?%)",
            r"[+\-−]?\d+(?:\.\d+)?°",
            r"\b95\s%\s(?:confidence\s)?intervals?",
            r"\b\d{1,2}[a-h]\b",  # layers and claims
            r"\b[^\W\d]\w*\d\w*",  # names
        ]
    )
)
DIGITS = re.compile(rf"{NUMBER.pattern}|\d+")

#: What is not running text.
_LEFT_OUT = (
    *(nodes.title, nodes.rubric, nodes.literal, nodes.literal_block, nodes.doctest_block),
    *(nodes.math, nodes.math_block, nodes.raw, nodes.comment, nodes.substitution_definition),
    *(nodes.system_message, nodes.target, nodes.footnote_reference, nodes.label),
    nodes.title_reference,  # a name
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.check_results", description=__doc__.splitlines()[0]
    )
    parser.add_argument("paths", type=Path, nargs="+", help="files, and folders of .rst files")
    parser.add_argument("--tables", type=Path, default=ROOT / "docs" / TABLES,
        help="folder of tables by scale (default: %(default)s)")  # fmt: skip
    parser.add_argument("--write", action="store_true", help="replace numbers by the tables'")
    options = parser.parse_args()
    files = []
    for path in options.paths:
        if not path.exists():
            parser.error(f"{path} does not exist")
        files += sorted(path.rglob("*.rst")) if path.is_dir() else [path]
    n_numbers = 0
    faults: list[str] = []
    for file in files:
        old = file.read_text(encoding="utf-8")
        text, count, found = check_text(old, file.suffix, options.tables, write=options.write)
        n_numbers += count
        if text != old:
            file.write_text(text, encoding="utf-8")
        if file.suffix == ".rst":
            found += [
                (line, f"{number!r} has no source: :result:`{number} <scale/table/key/column>`")
                for line, number in bare_numbers(text)
            ]
        faults += [f"{file}:{line}: {fault}" for line, fault in sorted(found)]
    print("\n".join([*faults, f"{len(files)} files, {n_numbers} numbers, {len(faults)} faults"]))
    return int(bool(faults))


def check_text(
    text: str, suffix: str, tables: Path, *, write: bool = False
) -> tuple[str, int, list[tuple[int, str]]]:
    """Compare the numbers of a text that have a source with it.

    Parameters
    ----------
    text : str
    suffix : {".rst", ".md", ".cff"}
        What kind of text it is.
    tables : Path
    write : bool, default=False
        Whether to replace numbers.

    Returns
    -------
    text : str
        With numbers replaced, if they are to be.
    n_numbers : int
    faults : list of (int, str)
        Line, and what is wrong there.
    """
    if suffix == ".cff":
        return _check_citation(text, tables, write=write)
    faults = []
    parts = []
    last = count = 0
    for match in (ROLE if suffix == ".rst" else COMMENT).finditer(text):
        count += 1
        if suffix == ".rst":
            shown, source = split_role(match[1])
            start = match.start(1)
        else:
            source = match[1]
            shown = _before(text[last : match.start()], source, tables)
            start = match.start() - len(shown)
        new, fault = _compared(shown, source, tables, write=write)
        if fault:
            faults.append((text.count("\n", 0, match.start()) + 1, fault))
        if new != shown:
            start = text.index(shown, start)
            parts += [text[last:start], new]
            last = start + len(shown)
    return "".join([*parts, text[last:]]), count, faults


def _before(text: str, source: str, tables: Path) -> str:
    """What a comment speaks of: the number before it, or the words that the table has."""
    number = re.search(rf"(?:{NUMBER.pattern})\Z", text[-40:])
    if number:
        return number[0]
    try:
        words = Source.parse(source).look_up(tables)
    except ResultError:
        words = ""
    return words if words and text.endswith(words) else text[-40:].split("\n")[-1]


def _compared(shown: str, source: str, tables: Path, *, write: bool) -> tuple[str, str]:
    """What a text should have there, and what is wrong with it."""
    try:
        check(shown, source, tables)
    except ResultError as error:
        try:
            value = Source.parse(source).look_up(tables)
        except ResultError:
            return shown, str(error)
        new = rewritten(shown, value) if write and NUMBER.fullmatch(shown) else shown
        return new, "" if new != shown else str(error)
    return shown, ""


def _check_citation(
    text: str, tables: Path, *, write: bool
) -> tuple[str, int, list[tuple[int, str]]]:
    lines = text.split("\n")
    faults = []
    count = 0
    start = lines.index("# results:") + 1 if "# results:" in lines else len(lines)
    for number in range(start, len(lines)):
        listed = LISTED.match(lines[number])
        if not listed:
            break
        count += 1
        shown, source = listed[1], listed[2]
        places = [
            (i, found)
            for i, line in enumerate(lines)
            if not line.startswith("#")
            for found in re.finditer(rf"(?<![\w.,]){re.escape(shown)}(?![\w%]|[.,]\d)", line)
        ]
        new, fault = _compared(shown, source, tables, write=write)
        if len(places) != 1:
            fault = f"{shown!r} stands {len(places)} times in the file; it must be once"
        elif new != shown:
            i, found = places[0]
            lines[i] = lines[i][: found.start()] + new + lines[i][found.end() :]
            lines[number] = f"#   {new}: {source}"
        if fault:
            faults.append((number + 1, fault))
    return "\n".join(lines), count, faults


def bare_numbers(text: str) -> Iterator[tuple[int, str]]:
    """Numbers in the running text of a page without a source.

    Parameters
    ----------
    text : str
        reStructuredText.

    Yields
    ------
    line : int
    number : str
    """
    with docutils_namespace():
        _know_what_sphinx_knows(text)
        tree = publish_doctree(
            text,
            settings_overrides={"report_level": 5, "halt_level": 6, "_disable_config": True},
        )
    lines = text.split("\n")
    for node in tree.findall(nodes.Text):
        if _is_read(node):
            for number in _unsourced(node.astext()):
                yield _line_of(node, number, lines), number


def _unsourced(text: str) -> list[str]:
    rest = ALLOWED.sub(" ", " ".join(text.split()))
    return [found[0].strip() for found in DIGITS.finditer(rest)]


def _is_read(node: Any) -> bool:
    if isinstance(node.parent, nodes.reference) and node.parent.get("refuri") == node.astext():
        return False  # an address as it is
    while node is not None:
        if isinstance(node, _LEFT_OUT) or "left out" in getattr(node, "attributes", {}):
            return False
        node = node.parent
    return True


def _line_of(node: Any, number: str, lines: list[str]) -> int:
    first = None
    while node is not None and first is None:
        first, node = getattr(node, "line", None), node.parent
    first = first or 1
    near = (i for i in range(max(first - 3, 0), len(lines)) if number in lines[i])
    return next(near, first - 1) + 1


class _Passed(Directive):
    """Any directive of Sphinx: its content is text."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    # of any name; empty it would count as none
    option_spec: ClassVar[Any] = defaultdict(
        lambda: directives.unchanged, name=directives.unchanged
    )

    def run(self) -> list[Any]:
        container = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, container)
        return [container]


class _Skipped(_Passed):
    """One whose content is not text."""

    def run(self) -> list[Any]:
        return []


def _know_what_sphinx_knows(text: str) -> None:
    """Let docutils pass over roles and directives of Sphinx, and read no files."""
    for name in set(re.findall(r":([\w:-]+):`", text)):
        if name not in {"sub", "sup", "strong", "emphasis"}:
            roles.register_local_role(name.lower(), _left_out_role)
    for name in set(re.findall(r"^\s*\.\. ([\w:-]+)::", text, re.MULTILINE)):
        if name in {"toctree", "literalinclude", "include", "image", "contents"}:
            directives.register_directive(name, _Skipped)
        elif name == "csv-table":
            directives.register_directive(name, _CsvTable)
        elif name not in _DOCUTILS:
            directives.register_directive(name, _Passed)


#: Directives whose own reading is as it should be.
_DOCUTILS = {
    *("figure", "math", "code", "code-block", "sourcecode", "list-table", "table", "replace"),
    *("note", "warning", "tip", "hint", "important", "admonition", "container", "topic", "raw"),
    *("rubric", "epigraph", "highlights", "pull-quote", "parsed-literal", "class"),
}


class _CsvTable(_Passed):
    """Rows of a file are a table's own; its title and rows written here are text."""

    def run(self) -> list[Any]:
        container = nodes.container()
        if self.arguments:
            container += nodes.paragraph("", self.arguments[0])
        if "file" not in self.options:
            container += nodes.paragraph("", "\n".join(self.content))
        container.line = self.lineno
        return [container]


def _left_out_role(name: str, rawtext: str, *_: Any) -> tuple[list[Any], list[Any]]:
    return [nodes.inline(rawtext, rawtext, **{"left out": True})], []


if __name__ == "__main__":
    sys.exit(main())
