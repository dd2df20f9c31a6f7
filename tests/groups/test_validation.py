from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.groups import (
    Dihedral,
    FiniteGroup,
    Symmetric,
)


def swapped(table):
    table = np.array(table)
    table[[1, 2], [2, 1]] = table[[2, 1], [1, 2]]
    return table


NOT_ASSOCIATIVE = [  # a loop of order 5: identity and cancellation hold, associativity does not
    [0, 1, 2, 3, 4],
    [1, 0, 3, 4, 2],
    [2, 4, 0, 1, 3],
    [3, 2, 4, 0, 1],
    [4, 3, 1, 2, 0],
]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[0, 1, 2]], "square"),
        (np.zeros((2, 2)), "integer"),
        ([[0, 1], [1, 2]], "elements 1 and 1 is 2"),
        ([[1, 0], [0, 1]], "0 is not the identity"),
        ([[0, 1], [1, 1]], "row 1"),
        (NOT_ASSOCIATIVE, "Not associative"),
        (swapped(Symmetric(3).cayley_table), "row|associative"),
    ],
    ids=["shape", "dtype", "closure", "identity", "inverse", "associativity", "mutant"],
)
def test_tables_of_no_group_are_refused_by_name(table, message):
    with pytest.raises(ValueError, match=message):
        FiniteGroup(table)


def test_every_swap_in_a_table_is_noticed():
    table = Dihedral(4).cayley_table
    rng = np.random.default_rng(0)
    for _ in range(50):
        mutant = table.copy()
        row, (i, j) = rng.integers(1, 8), rng.choice(np.arange(1, 8), 2, replace=False)
        mutant[row, [i, j]] = mutant[row, [j, i]]
        with pytest.raises(ValueError, match="column|associative"):
            FiniteGroup(mutant)
