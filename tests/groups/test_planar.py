from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.groups import (
    Cyclic,
    Dihedral,
    Trivial,
    parse_group,
)


def test_dihedral_matches_the_matrices_of_the_plane():
    group = Dihedral(5)

    def matrix(element):
        t = np.deg2rad(group.degrees(element))
        turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
        return turn @ np.diag([-1.0 if group.mirrored[element] else 1.0, 1.0])

    for a in range(group.order):
        for b in range(group.order):
            np.testing.assert_allclose(
                matrix(a) @ matrix(b), matrix(group.multiply(a, b)), atol=1e-12
            )


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "4"])
def test_orders_that_are_no_whole_number_are_refused(n):
    with pytest.raises(ValueError, match="whole number"):
        Cyclic(n)


@pytest.mark.parametrize(
    ("text", "group"),
    [("dihedral:16", Dihedral(16)), ("Cyclic:4", Cyclic(4)), ("trivial", Trivial())],
)
def test_groups_by_name(text, group):
    assert parse_group(text) == group


@pytest.mark.parametrize(
    "text", ["dihedral", "dihedral:0", "dihedral:x", "klein:4", "trivial:2", ""]
)
def test_unknown_group_names_say_what_is_expected(text):
    with pytest.raises(ValueError, match="'dihedral:N'"):
        parse_group(text)


trivial = {"family": "Trivial", "arguments": []}


deep = trivial


for _ in range(500):
    deep = {"family": "DirectProduct", "arguments": [deep, trivial]}


@pytest.mark.parametrize("text", ["cyclic:1025", "dihedral:513", "cyclic:00" + "9" * 5000])
def test_groups_that_are_too_large_are_not_built(text):
    with pytest.raises(ValueError, match=r"more than 1024 elements: (cyclic:1024|dihedral:512)"):
        parse_group(text)
    assert parse_group("dihedral:0512").order == 1024
