"""Check the built documentation: no page uses a word of the glossary before it is explained.

    python -m tools.check_words docs/_build/html

On every page that is read from top to bottom the first use of a word in running text, in the
singular or the plural, must be a link to its entry of the glossary. Titles, code, links that lead
elsewhere and cards that are links are left out. ``docs/_ext/glossary_links.py`` makes the links
when the pages are built; here they are looked for in what a reader gets.
"""

from __future__ import annotations

import argparse
import sys
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "_ext"))
from glossary_links import GLOSSARY, PAGES, definitions, pattern_of

from tools.check_docs import VOID

WORD = "glossary-word"
#: Elements and classes whose text is not running text.
LEFT_OUT = {"h1", "h2", "h3", "h4", "h5", "h6", "code", "pre", "math", "script", "style", "svg"}
LEFT_OUT_CLASSES = {"sd-card", "contents", "topic", "math", "rubric", "sphx-glr-timing"}


class _Reader(HTMLParser):
    """Collect the running text of a page in pieces: (text, whether it is a word's link)."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[tuple[str, bool]] = []
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        classes = set((dict(attrs).get("class") or "").split())
        if tag == "article":
            role = "article"
        elif tag in LEFT_OUT or classes & LEFT_OUT_CLASSES:
            role = "left out"
        elif tag == "a":
            role = "word" if WORD in classes else "left out"
        else:
            role = ""
        self._open.append((tag, role))

    def handle_endtag(self, tag: str) -> None:
        if any(tag == other for other, _ in self._open):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        roles = {role for _, role in self._open}
        if "article" in roles and "left out" not in roles:
            self.pieces.append((data, "word" in roles))


def unexplained(page: str, terms: list[str]) -> list[str]:
    """Words that a page uses before, or without, a link to their meaning.

    Parameters
    ----------
    page : str
        HTML.
    terms : list of str
        Words of the glossary.

    Returns
    -------
    list of str
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    found = []
    for term in terms:
        pattern = pattern_of(term)
        longer = [pattern_of(other) for other in terms if term in other and term != other]
        for text, is_link in reader.pieces:
            for other in longer:  # "orbit" in "orbit stack" is not its use
                text = other.sub("", text)
            if pattern.search(text):
                if not is_link:
                    found.append(term)
                break
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    source = Path(__file__).parents[1] / "docs" / f"{GLOSSARY}.rst"
    terms = list(definitions(source.read_text(encoding="utf-8")))
    n_pages = n_faults = 0
    for path in sorted(folder.rglob("*.html")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if PAGES.match(name) and name != GLOSSARY:
            n_pages += 1
            for term in unexplained(path.read_text(encoding="utf-8"), terms):
                n_faults += 1
                print(f"{name}: {term!r} is used before it is explained or linked")
    if not n_pages:
        raise SystemExit(f"{folder} has no pages: build them first")
    print(f"{n_pages} pages, {len(terms)} words, {n_faults} used before they are explained")
    return int(n_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
