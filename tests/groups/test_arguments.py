from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.groups._arguments import is_table, is_whole


@given(st.integers(-3, 9), st.integers(-3, 9), st.none() | st.integers(-3, 9))
def test_bounds_belong_to_the_range(value, least, most):
    assert is_whole(value, least, most) == (least <= value and (most is None or value <= most))


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, [1]])
def test_json_has_other_values_than_whole_numbers(value):
    assert not is_whole(value, 0)


def test_tables_are_rows_of_places():
    assert is_table([[0, 1], [1, 0], [1, 1]], 3, 2)
    for rows in ([], [[0, 1]], [[0, 1], [1]], [[0, 1], [1, 2]], [[0, 1], (1, 0)], [[0, 1], None]):
        assert not is_table(rows, 2, 2)
    assert not is_table([], 0, 2)
