from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.groups import (
    NamedGroup,
    PlanarGroup,
    group_from_json,
    group_to_json,
    order_from_json,
    with_names,
)
from sklearn_groupcross.testing import groups

NAMES = ["identity", "spring", "summer", "autumn"]
SEASONS = Cyclic(4).named(NAMES)


def named(group, word="move"):
    return group.named(["identity", *(f"{word} {g}" for g in range(1, group.order))])


@settings(max_examples=30)
@given(groups(max_order=24))
def test_elements_of_every_group_have_names_of_their_own(group):
    for each in (group, named(group), group * Cyclic(2), named(group) * group):
        names = [each.describe_element(g) for g in range(each.order)]
        assert names[0] == "identity"
        assert len(set(names)) == each.order


@given(groups(max_order=24))
def test_names_change_nothing_but_words(group):
    other = named(group)
    assert other == group
    assert group == other
    assert hash(other) == hash(group)
    assert repr(other) == repr(group)
    assert other.is_named
    assert other.unnamed == group
    assert not isinstance(other, PlanarGroup)
    for one, two in zip(other.irreps, group.irreps, strict=True):
        assert one.name == two.name
        assert one.group is other
        np.testing.assert_array_equal(one.matrices, two.matrices)
    assert [s.elements for s in other.subgroups()] == [s.elements for s in group.subgroups()]
    assert other.named(["identity", *map(str, range(1, group.order))]).unnamed == group


def test_another_group_is_another_one_with_names_too():
    assert named(Cyclic(2) * Cyclic(2)) != SEASONS
    assert Dihedral(2) != SEASONS
    assert SEASONS * Cyclic(2) == Cyclic(4) * Cyclic(2)
    assert Cyclic(4) * Cyclic(2) != SEASONS * Dihedral(1)


def test_subgroups_are_named_by_what_generates_them():
    names = [subgroup.name for subgroup in SEASONS.subgroups()]
    assert names == ["C1: none", "C2: summer", "C4: everything"]
    both = Dihedral(4) * SEASONS
    assert both.describe_element(5 * 4 + 1) == "turn 90°, mirrored and spring"
    assert both.generated_subgroup([2 * 4, 2]).name == "C2 × C2: summer; turn 180°"


@pytest.mark.parametrize("group", [SEASONS, SEASONS * Cyclic(2), Cyclic(2) * SEASONS], ids=repr)
def test_names_survive_json_and_pickles(group):
    description = json.loads(json.dumps(group_to_json(group)))
    assert order_from_json(description) == group.order
    expected = [group.describe_element(g) for g in range(group.order)]
    for again in (
        group_from_json(description),
        pickle.loads(pickle.dumps(group)),
        copy.deepcopy(group),
    ):
        assert again == group
        assert again.is_named
        assert [again.describe_element(g) for g in range(group.order)] == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (NAMES[:3], "a list of 4 is expected"),
        ("abcd", "a list of 4 is expected"),
        (["none", *NAMES[1:]], "element 0 is 'identity'; got 'none'"),
        ([*NAMES[:3], "summer"], "two elements have the same"),
        ([*NAMES[:3], ""], "printable text"),
        ([*NAMES[:3], "x" * 101], "printable text"),
        ([*NAMES[:3], "\x1b[31m"], "printable text"),
        ([*NAMES[:3], 7], "printable text"),
    ],
)
def test_other_names_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        Cyclic(4).named(names)
    described = {"family": "NamedGroup", "arguments": [group_to_json(Cyclic(4)), names]}
    with pytest.raises(ValueError, match="no group NamedGroup"):
        group_from_json(described)


@given(st.booleans(), st.booleans())
def test_of_two_equal_groups_the_named_one_is_taken(first, second):
    others = NamedGroup(Cyclic(4), ["identity", "one", "two", "three"])
    group, other = SEASONS if first else Cyclic(4), others if second else Cyclic(4)
    expected = group if first or not second else other
    assert with_names(group, other) is expected
    assert with_names(group, named(Cyclic(5))) is group
    assert with_names(group, None) is group
