from __future__ import annotations

import pytest

from tools.check_words import unexplained

LINK = '<a class="glossary-word reference internal" href="glossary.html#term-{0}">{0}</a>'
TERMS = ["orbit", "orbit stack", "code", "family"]


def page(text):
    return f"<html><p>An orbit in the menu</p><article>{text}</article></html>"


@pytest.mark.parametrize(
    "text",
    [
        f"<p>An {LINK.format('orbit')} is read; the orbit is kept.</p>",
        "<h1>Orbits</h1><pre>orbit</pre><p><code>orbit</code> runs no code</p>",
        f"<p>An {LINK.format('orbit stack')}</p>",
        '<p>See <a href="orbits.html">Orbits</a>.</p>',
        '<div class="sd-card"><p>Orbits</p></div>',
        "<p>Nothing<br>of it</p>",
    ],
)
def test_explained(text):
    assert unexplained(page(text), TERMS) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<p>An orbit is read.</p>", ["orbit"]),
        (f"<p>Families first, then {LINK.format('family')}.</p>", ["family"]),
        (f"<p>Codes of an {LINK.format('orbit')}</p>", ["code"]),
        (f"<p>An {LINK.format('orbit')} and orbit\n stacks</p>", ["orbit stack"]),
    ],
)
def test_unexplained(text, words):
    assert unexplained(page(text), TERMS) == words
