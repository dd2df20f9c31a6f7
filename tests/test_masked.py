from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross._masked import unmasked
from sklearn_groupcross.groups import Cyclic, FiniteGroup, GroupFourier, find_stabilizers


def test_a_mask_that_hides_nothing_is_taken_off():
    plain = unmasked(np.ma.masked_greater(np.arange(4), 9), "X")
    assert type(plain) is np.ndarray
    np.testing.assert_array_equal(plain, np.arange(4))
    for other in (np.arange(3), [1, 2], "text", None):
        assert unmasked(other, "X") is other


@pytest.mark.parametrize(
    "read",
    [
        lambda X: unmasked(X, "The Cayley table"),
        FiniteGroup,
        lambda X: find_stabilizers(Cyclic(2), X),
        lambda X: GroupFourier(Cyclic(2)).transform(X),
    ],
)
def test_masked_values_are_refused_by_all_that_read_arrays(read):
    array = np.ma.masked_equal(np.array([[0.0, 1.0], [1.0, 0.0]]), 1.0)
    with pytest.raises(ValueError, match=r"is a masked array, and 2 of its 4 values are masked"):
        read(array)
