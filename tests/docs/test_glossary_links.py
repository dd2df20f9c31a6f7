"""Words of the glossary: what they are, and where a page uses them first."""

from __future__ import annotations

import doctest

from .extensions import ROOT, load_extension

glossary_links = load_extension("glossary_links")


def test_examples_in_docstrings():
    failed, tried = doctest.testmod(glossary_links)
    assert (failed, tried > 3) == (0, True)


def test_every_word_of_the_glossary_has_a_meaning():
    source = (ROOT / "docs" / "guide" / "glossary.rst").read_text(encoding="utf-8")
    meanings = glossary_links.definitions(source)
    assert len(meanings) > 40
    for term, meaning in meanings.items():
        assert glossary_links.pattern_of(term).search(f"the {term}, the {term}s"), term
        assert len(meaning) > 10, term
        assert ":ref:" not in meaning, term


def test_everyday_words_are_left_alone():
    texts = ["a kind of file", "code blocks", "no code", "families of groups"]
    assert list(glossary_links.first_uses(texts, ["kind", "block", "code", "family"])) == []
