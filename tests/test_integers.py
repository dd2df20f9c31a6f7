from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross._integers import check_integer

TYPES = [int, np.int8, np.uint16, np.int64]


@given(st.integers(0, 127), st.sampled_from(TYPES), st.integers(-5, 200))
def test_whole_numbers_of_any_type_are_those_of_python(number, make, least):
    if number < least:
        with pytest.raises(ValueError, match=f"^n is at least {least}; got n={number}.$"):
            check_integer("n", make(number), least)
        return
    found = check_integer("n", make(number), least)
    assert (found, type(found)) == (number, int)


@pytest.mark.parametrize("value", [True, np.True_, 2.0, np.float32(2), "2", None, [2]])
def test_nothing_else_is_a_whole_number(value):
    with pytest.raises(TypeError, match="n is a whole number; got"):
        check_integer("n", value, 1)
