from __future__ import annotations

import json

import pytest
from hypothesis import given

from sklearn_groupcross.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    FiniteGroup,
    Quaternion,
    RotationGroup,
    SemidirectProduct,
    Symmetric,
    Trivial,
    _serialization,
    group_from_json,
    group_to_json,
    order_from_json,
)
from sklearn_groupcross.testing import (
    groups_with_elements,
)


@given(groups_with_elements(0))
def test_groups_survive_json(case):
    group, _ = case
    description = json.loads(json.dumps(group_to_json(group)))
    assert group_from_json(description) == group
    assert order_from_json(description) == group.order


ONE_OF_EACH = [
    Alternating(4),
    Cyclic(5),
    Dihedral(3),
    Cyclic(2) * Dihedral(3),
    FiniteGroup([[0, 1], [1, 0]]),
    Cyclic(2).named(["identity", "negative"]),
    Quaternion(),
    RotationGroup("octahedral"),
    SemidirectProduct(Cyclic(3), Cyclic(2), [[0, 1, 2], [0, 2, 1]]),
    Symmetric(4),
    Trivial(),
]


@pytest.mark.parametrize("group", ONE_OF_EACH, ids=lambda group: type(group).__name__)
def test_every_family_has_a_formula_for_its_order(group):
    description = group_to_json(group)
    assert order_from_json(description) == group.order
    assert group_from_json(description) == group


def test_no_family_is_left_out():
    assert {type(group).__name__ for group in ONE_OF_EACH} == set(_serialization._FAMILIES)


class Mine(FiniteGroup):
    def __init__(self):
        super().__init__([[0, 1], [1, 0]])

    def _init_args(self):
        return ()


@pytest.mark.parametrize("group", [Mine(), Cyclic(2) * Mine()], ids=["alone", "as a factor"])
def test_families_of_ones_own_are_not_described(group):
    with pytest.raises(ValueError, match=r"FiniteGroup\(group.cayley_table\) can be saved"):
        group_to_json(group)


def test_json_of_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match="Unknown family of groups: 'Monster'"):
        group_from_json({"family": "Monster", "arguments": []})


trivial = {"family": "Trivial", "arguments": []}


deep = trivial


for _ in range(500):
    deep = {"family": "DirectProduct", "arguments": [deep, trivial]}


thousand = {"family": "Cyclic", "arguments": [1000]}


@pytest.mark.parametrize(
    ("description", "says"),
    [
        (None, "described by its 'family' and its 'arguments'; got None"),
        ({"family": "Cyclic"}, "'arguments'; got an object of 1 entries"),
        ({**trivial, "order": 1}, "an object of 3 entries"),
        ({"family": ["Cyclic"], "arguments": [3]}, "Unknown family"),
        ({"family": "group_from_json", "arguments": [trivial]}, "Unknown family"),
        ({"family": "PlanarGroup", "arguments": [3, True]}, "Unknown family"),
        ({"family": "Trivial", "arguments": [1]}, "no group Trivial"),
        ({"family": "Cyclic", "arguments": {"n": 3}}, "no group Cyclic"),
        ({"family": "Cyclic", "arguments": [True]}, "no group Cyclic"),
        ({"family": "Cyclic", "arguments": [3.0]}, "no group Cyclic"),
        ({"family": "Cyclic", "arguments": [0]}, "no group Cyclic"),
        ({"family": "Cyclic", "arguments": [10**5]}, "at most 1024 elements"),
        ({"family": "Dihedral", "arguments": [10**5000]}, "at most 1024 elements"),
        ({"family": "Symmetric", "arguments": [10**6]}, "no group Symmetric"),
        ({"family": "RotationGroup", "arguments": ["cube"]}, "no group RotationGroup"),
        ({"family": "FiniteGroup", "arguments": [[]]}, "no group FiniteGroup"),
        ({"family": "FiniteGroup", "arguments": [[[0, 1], [1]]]}, "no group FiniteGroup"),
        ({"family": "FiniteGroup", "arguments": [[[0, 1], [1, 2]]]}, "no group FiniteGroup"),
        ({"family": "FiniteGroup", "arguments": [[[0, 1], [1, 1]]]}, "No inverses"),
        ({"family": "DirectProduct", "arguments": [thousand, thousand]}, "at most 1024"),
        ({"family": "DirectProduct", "arguments": [1, 2]}, "no group DirectProduct"),
        ({"family": "SemidirectProduct", "arguments": [trivial, trivial, [[1]]]}, "no group"),
        (deep, "nested more than 32 deep"),
    ],
    ids=range(23),
)
def test_senseless_json_is_refused_before_anything_is_built(description, says):
    with pytest.raises(ValueError, match=says):
        group_from_json(description)
