"""Check the built documentation: it asks no network for anything, and its links lead somewhere.

    python -m tools.check_docs docs/_build/html

Scripts, styles, pictures, fonts and frames must be files of the build (or data within a page).
Every link within it must lead to a file, and what stands after # to an element of that page. Links
that leave it are counted, and listed with ``--external``: they are followed by readers alone.
Pages of the guide should open with a sentence that begins with "After this page you can" and show a
picture: those that do not are listed, and are an error with ``--guide``.

Where Playwright and Chromium are installed, the search page is opened as a file and asked for a
word; what it finds, and that nothing complains, is checked too.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

OPENING = "After this page you can"
#: What a browser fetches without being asked, by element.
FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "input": ("src",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
#: A template that the theme copies beside its styles.
NO_PAGES = {"webpack-macros.html"}
#: What the relation of a ``link`` says is only for a reader, or for machines that read.
NOT_FETCHED = {"next", "prev", "index", "search", "canonical", "author", "license", "copyright"}
PICTURES = {"img", "svg", "iframe", "video", "canvas", "object"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"}
VOID |= {"track", "wbr"}
STYLED = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


@dataclass
class Page:
    """What one page says of itself."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    first_paragraph: str | None = None
    has_picture: bool = False


class _Reader(HTMLParser):
    """Fill a `Page`; the text of the page is what stands within ``article``."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self._open: list[str] = []
        self._paragraph: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        page = self.page
        page.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag in ("a", "area") and "href" in given:
            page.links.append(given["href"])
        elif tag == "link" and "href" in given:
            relations = set(given.get("rel", "").lower().split())
            (page.links if relations & NOT_FETCHED else page.fetched).append(given["href"])
        for name in FETCHED.get(tag, ()):
            if name in given:
                values = given[name].split(",") if name == "srcset" else [given[name]]
                page.fetched += [value.split()[0] for value in values if value.split()]
        page.fetched += styled(given.get("style", ""))
        if "article" in self._open:
            page.has_picture |= tag in PICTURES
            if tag == "p" and page.first_paragraph is None:
                self._paragraph = []
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "p" and self._paragraph is not None:
            self.page.first_paragraph = " ".join("".join(self._paragraph).split())
            self._paragraph = None
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._paragraph is not None:
            self._paragraph.append(data)
        if self._open and self._open[-1] == "style":
            self.page.fetched += styled(data)


def styled(text: str) -> list[str]:
    """Return what a style sheet has fetched."""
    return [first or second for first, second in STYLED.findall(text)]


def read_page(text: str) -> Page:
    """Return what a page of HTML says."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.page


@dataclass
class Findings:
    """What is wrong, as (page, what), and where links lead that leave the build."""

    requests: list[tuple[str, str]] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    guide: list[tuple[str, str]] = field(default_factory=list)
    external: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    n_pages: int = 0
    n_links: int = 0


def check(folder: Path) -> Findings:
    """Read every page and style sheet below a folder, and follow what they refer to."""
    findings = Findings()
    pages = {
        path: read_page(path.read_text(encoding="utf-8", errors="replace"))
        for path in sorted(folder.rglob("*.html"))
        if path.name not in NO_PAGES
    }
    if not pages:
        raise SystemExit(f"{folder} has no pages: build them first")
    findings.n_pages = len(pages)
    for path, page in pages.items():
        name = path.relative_to(folder).as_posix()
        for address in page.fetched:
            _follow(path, name, address, pages, findings, fetched=True)
        for address in page.links:
            _follow(path, name, address, pages, findings, fetched=False)
        if path.parent == folder / "guide" and path.name != "index.html":
            if not (page.first_paragraph or "").startswith(OPENING):
                findings.guide.append((name, f"does not open with {OPENING!r}"))
            if not page.has_picture:
                findings.guide.append((name, "shows no picture"))
    for path in sorted(folder.rglob("*.css")):
        name = path.relative_to(folder).as_posix()
        for address in styled(path.read_text(encoding="utf-8", errors="replace")):
            _follow(path, name, address, pages, findings, fetched=True)
    return findings


def _follow(
    path: Path,
    name: str,
    address: str,
    pages: dict[Path, Page],
    findings: Findings,
    *,
    fetched: bool,
) -> None:
    parts = urlsplit(address.strip())
    if parts.scheme in ("data", "javascript", "mailto", "blob", "about"):
        return
    if parts.scheme or parts.netloc:
        if fetched:
            findings.requests.append((name, address))
        else:
            findings.external[address].add(name)
        return
    findings.n_links += 1
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        findings.broken.append((name, address))
    elif parts.fragment and target in pages:
        fragment = unquote(parts.fragment)
        # #top is the page itself, in every browser
        if fragment not in pages[target].ids | {"top"} and not fragment.startswith("!"):
            findings.broken.append((name, address))


def try_search(folder: Path, word: str = "stabilizer") -> str:
    """Search for a word as a reader without a server does, and say how that went.

    Raises
    ------
    RuntimeError
        If nothing is found, or the page complains or asks a network.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        executable = None
    if executable is None:
        return "search: not tried, as it takes Playwright and Chromium"
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        page = browser.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: _note(said, complaints))
        page.goto(f"{(folder / 'search.html').resolve().as_uri()}?q={word}")
        page.wait_for_selector("#search-results ul.search li", timeout=30_000)
        page.wait_for_timeout(1000)  # for what follows the first result
        titles = page.locator("#search-results ul.search li > a").all_inner_texts()
        browser.close()
    strangers = [url for url in asked if not url.startswith(("file:", "data:"))]
    if strangers or complaints or not titles:
        raise RuntimeError(f"search: {len(titles)} results, {strangers}, {complaints}")
    return f"search: {word!r} is found in {len(titles)} places, from the file system"


def _note(said: Any, complaints: list[str]) -> None:
    if said.type == "error":
        complaints.append(said.text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--guide", action="store_true", help="what the guide lacks is an error")
    parser.add_argument("--external", action="store_true", help="list links that leave the build")
    options = parser.parse_args()
    findings = check(options.folder.resolve())
    for kind, found in (
        ("asks a network", findings.requests),
        ("broken", findings.broken),
        ("guide", findings.guide),
    ):
        for name, what in found:
            print(f"{kind}: {name}: {what}")
    if options.external:
        for address, names in sorted(findings.external.items()):
            print(f"external: {address} ({len(names)} pages)")
    failed = bool(findings.requests or findings.broken or (options.guide and findings.guide))
    try:
        print(try_search(options.folder))
    except RuntimeError as error:
        print(error)
        failed = True
    print(
        f"{findings.n_pages} pages, {findings.n_links} links within, "
        f"{len(findings.broken)} broken; {len(findings.external)} addresses outside; "
        f"{len(findings.requests)} requests"
    )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
