from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.groups import (
    FiniteGroup,
)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FiniteGroup.from_permutations((0, 0, 1)), r"Generator 0, \[0, 0, 1\], is not"),
        (lambda: FiniteGroup.from_permutations((0, 1), (0, 1, 2)), "Generator 1"),
        (lambda: FiniteGroup.from_permutations(), "At least one"),
        (
            lambda: FiniteGroup.from_permutations((1, 2, 3, 4, 5, 6, 0), (1, 0, 2, 3, 4, 5, 6)),
            "generate more than 1024",
        ),
        (
            lambda: FiniteGroup.from_matrices([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]),
            "do not close: 1024 elements .* generator 0",
        ),
        (lambda: FiniteGroup.from_matrices([[1, 0], [0, 0]]), "Generator 0 is singular"),
        (lambda: FiniteGroup.from_matrices(np.eye(2), np.eye(3)), "Generator 1 has shape"),
    ],
)
def test_generators_of_no_group_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
