from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.cli._arguments import as_json, check_installed, choose_count, in_words
from sklearn_groupcross.groups import Quaternion


@given(st.none() | st.integers(-2, 12), st.integers(0, 10))
def test_counts_are_between_one_and_all(count, available):
    if count is None:
        assert choose_count(count, available, "--n-images") == available
    elif 1 <= count <= available:
        assert choose_count(count, available, "--n-images") == count
    else:
        with pytest.raises(ValueError, match=f"--n-images lies between 1 and {available}"):
            choose_count(count, available, "--n-images")


def test_the_first_module_that_is_missing_is_named():
    check_installed("json", "numpy")
    with pytest.raises(ImportError, match=r"needs absent_module: pip install 'sklearn-groupcross"):
        check_installed("json", "absent_module", "another")


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (Cyclic(4), "4 turns"),
        (Dihedral(3), "3 turns with mirrors"),
        (Quaternion(), "Quaternion(), 8 elements"),
    ],
)
def test_groups_in_words(group, words):
    assert in_words(group) == words


def test_json_is_read_by_people_too():
    value = {"name": "Größe °", "n": [1, None]}
    text = as_json(value)
    assert json.loads(text) == value
    assert "Größe °" in text
    assert text.count("\n") > 3
