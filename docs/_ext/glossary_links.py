"""Sphinx extension: the first use of a word of the glossary on a page leads to its definition.

Words have one meaning each (``docs/guide/glossary.rst``). A reader who meets one for the first time
on a page can point at it to read what it means, or follow it; whoever writes need not think of it.
``tools/check_docs.py`` checks the built pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

GLOSSARY = "guide/glossary"

#: Pages whose words are linked: those that are read from top to bottom.
PAGES = re.compile(r"(index|install|quickstart|benchmarks|guide/.*|gallery/plot_.*)$")

#: Where a word is an everyday one, what it is preceded or followed by; or the forms that are not.
_EVERYDAY = {
    "code": r"\bcodes\b",
    "kind": r"\b(?<!of another )(?<!some )(?<!no )kinds?\b(?! of (?!features?\b))",
    "block": r"(?<!code )(?<!, )\bblocks?\b",
    "family": r"\b(?:family|families)\b(?! of groups)",
    "store": r"\b(?:a|the|one|An?|The|of) stores?\b",
    "energy": r"\benergy\b(?!``)",
    "unit": r"\b(?<!in the )units?\b(?! of the data)",
}


def pattern_of(term: str) -> re.Pattern[str]:
    """What finds a word of the glossary in a text, in the singular or the plural.

    >>> bool(pattern_of("family").search("Families hold."))
    True
    >>> bool(pattern_of("code").search("no code is run"))
    False
    >>> bool(pattern_of("orbit stack").search("orbit stacks"))
    True
    """
    words = re.escape(term).replace(r"\ ", r"\s+")
    return re.compile(_EVERYDAY.get(term, rf"\b{words}s?\b"), re.IGNORECASE)


def definitions(source: str) -> dict[str, str]:
    """The words of a glossary written in reStructuredText, each with its first sentence.

    >>> definitions(".. glossary::\\n\\n   pose\\n      Where *it* stands: :ref:`poses`. More.\\n")
    {'pose': 'Where it stands.'}
    """
    found = {}
    body = source.split(".. glossary::", 1)[1]
    for entry in re.finditer(r"^   ([^\s:].*)\n((?:      .*\n|\n)+)", body, re.MULTILINE):
        text = re.sub(r":? :\w+:`[^`]*`", "", " ".join(entry[2].split()))
        found[entry[1].strip()] = re.split(r"(?<=\.)\s", re.sub(r"[*`]", "", text), maxsplit=1)[0]
    return found


def first_uses(texts: list[str], terms: list[str]) -> Iterator[tuple[int, int, int, str]]:
    """Where each word comes first: the number of the text, start and end in it, and the word.

    A word within a longer one (*orbit* in *orbit stack*) is not its use.

    >>> list(first_uses(["An orbit stack", "of orbits"], ["orbit", "orbit stack"]))
    [(0, 3, 14, 'orbit stack'), (1, 3, 9, 'orbit')]
    """
    taken: list[tuple[int, int, int, str]] = []
    for term in sorted(terms, key=len, reverse=True):
        pattern = pattern_of(term)
        for number, text in enumerate(texts):
            within = [use[1:3] for use in taken if use[0] == number]
            free = (
                match
                for match in pattern.finditer(text)
                if not any(match.start() < end and start < match.end() for start, end in within)
            )
            if match := next(free, None):
                taken.append((number, match.start(), match.end(), term))
                break
    yield from sorted(taken)


def link_first_uses(app: Any, doctree: Any, docname: str) -> None:
    """Replace the first use of each word in a page by a link with the definition as its title."""
    from docutils import nodes

    if not PAGES.match(docname) or docname == GLOSSARY:
        return
    objects = app.env.domains.standard_domain.objects
    anchors = {
        name: anchor
        for (kind, name), (page, anchor) in objects.items()
        if kind == "term" and page == GLOSSARY
    }
    glossary = app.builder.get_relative_uri(docname, GLOSSARY)
    meanings = definitions((app.srcdir / f"{GLOSSARY}.rst").read_text(encoding="utf-8"))
    skipped: tuple[type, ...] = (
        *(nodes.title, nodes.literal, nodes.literal_block, nodes.doctest_block, nodes.reference),
        *(nodes.math, nodes.math_block, nodes.raw, nodes.comment, nodes.topic, nodes.rubric),
    )

    def is_read(node: Any) -> bool:
        while node is not None:
            # code_links_block is what sphinx-gallery makes of code in its examples
            if isinstance(node, skipped) or type(node).__name__ in {"toctree", "code_links_block"}:
                return False
            if isinstance(node, nodes.Element) and "sd-card" in node["classes"]:
                return False  # a link as a whole
            node = node.parent
        return True

    texts = [node for node in doctree.findall(nodes.Text) if is_read(node)]
    uses: dict[int, list[tuple[int, int, str]]] = {}
    for number, start, end, term in first_uses([text.astext() for text in texts], list(anchors)):
        uses.setdefault(number, []).append((start, end, term))
    for number, found in uses.items():
        text = texts[number].astext()
        parts: list[Any] = []
        last = 0
        for start, end, term in found:
            address = f"{glossary}#{anchors[term]}"
            link = nodes.reference("", text[start:end], internal=True, refuri=address)
            link["reftitle"] = meanings.get(term, term)
            link["classes"] = ["glossary-word"]
            parts += [nodes.Text(text[last:start]), link]
            last = end
        texts[number].parent.replace(texts[number], [*parts, nodes.Text(text[last:])])


def setup(app: Any) -> dict[str, bool]:
    """Register the extension."""
    app.connect("doctree-resolved", link_first_uses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
