from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sklearn_groupcross._shares import check_share


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.25), Fraction(1, 3), 1e-9])
def test_shares_become_floats(value):
    found = check_share("threshold", value, "a cosine")
    assert type(found) is float
    assert found == float(value)


@pytest.mark.parametrize("value", [0, -0.1, 1.0001, 2, np.nan, np.inf])
def test_out_of_range(value):
    with pytest.raises(ValueError, match=r"^threshold is a cosine in \(0, 1\]; got "):
        check_share("threshold", value, "a cosine")


@pytest.mark.parametrize("value", ["a", "0.5", None, True, [0.5], 1j], ids=repr)
def test_no_number(value):
    with pytest.raises(TypeError, match=r"^threshold is a cosine, a number in \(0, 1\]; got "):
        check_share("threshold", value, "a cosine")
