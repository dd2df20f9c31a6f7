import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross._printable import printable

# surrogates too: names of files that are no text
CHARACTERS = st.characters(codec=None, exclude_categories=())


@given(st.text(CHARACTERS))
def test_what_is_left_can_be_seen_and_encoded(text):
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
    assert printable(shown) == shown
    assert (shown == text) == text.isprintable()


@given(st.text(CHARACTERS.filter(lambda c: c not in '\\"')))
def test_escapes_are_those_of_json(text):
    # neighbouring surrogates are a pair for JSON; as bytes they are the same
    found = json.loads(f'"{printable(text)}"')
    assert found.encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain: 45° ≥ \U0001f600", "plain: 45° ≥ \U0001f600"),
        ("\x1b[31mred", r"\u001b[31mred"),
        ("\x9b31m", r"\u009b31m"),
        ("a\rb\0", r"a\u000db\u0000"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("\udcff", r"\udcff"),
    ],
)
def test_codes(text, shown):
    assert printable(text) == shown


def test_ends_of_lines_may_stay():
    assert printable("a\nb\r", keep="\n") == "a\nb\\u000d"
