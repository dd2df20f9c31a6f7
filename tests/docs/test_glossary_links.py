"""Words of the glossary: what they are, and where a page uses them first."""

from __future__ import annotations

from .extensions import ROOT, load_extension

glossary_links = load_extension("glossary_links")


def test_the_longer_word_is_the_one_that_is_used():
    uses = glossary_links.first_uses(["An orbit stack", "of orbits"], ["orbit", "orbit stack"])
    assert list(uses) == [(0, 3, 14, "orbit stack"), (1, 3, 9, "orbit")]


def test_a_meaning_is_the_first_sentence_without_marks():
    source = ".. glossary::\n   :sorted:\n\n   pose\n      Where *it* stands: :ref:`poses`. More.\n"
    assert glossary_links.definitions(source) == {"pose": "Where it stands."}


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
