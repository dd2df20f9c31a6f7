from __future__ import annotations

import numpy as np

from sklearn_groupcross import Cyclic, Dihedral, Trivial
from sklearn_groupcross.actions import HueAction, ImageAction
from sklearn_groupcross.groups import Quaternion
from sklearn_groupcross.report._group_words import axes_of, describe_group, in_ranges, plainest


def test_turns_and_mirrored_turns_are_two_curves():
    (axis,) = axes_of(Dihedral(4))
    assert axis["labels"] == ["0°", "90°", "180°", "270°"]
    assert axis["elements"] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert axis["curves"] == ["turned", "mirrored, then turned"]
    about = describe_group(Dihedral(4), turns_the_plane=True)
    assert about["degrees"] == [0, 90, 180, 270] * 2
    assert about["mirrored"] == [0] * 4 + [1] * 4
    assert (about["name"], about["order"], about["turns"]) == ("Dihedral(4)", 8, 4)
    assert about["elements"][5] == "turn 90°, mirrored"


def test_a_product_is_drawn_one_factor_at_a_time():
    group = (ImageAction(Cyclic(4)) * HueAction(3)).group
    assert describe_group(group, turns_the_plane=True)["turns"] == 0
    turn, hue = describe_group(group, turns_the_plane=True)["axes"]
    assert turn["name"] == "turn"
    assert turn["elements"] == [[0, 3, 6, 9]]
    assert hue["elements"] == [[0, 1, 2]]
    assert hue["labels"] == ["identity", "hue turn 120°", "hue turn 240°"]
    for axis in (turn, hue):
        for curve in axis["elements"]:
            assert curve[0] == group.identity


def test_other_groups_have_their_own_words():
    (axis,) = axes_of(Quaternion())
    assert axis["labels"] == [Quaternion().describe_element(g) for g in range(8)]
    about = describe_group(Cyclic(5), turns_the_plane=False)
    assert (about["turns"], about["degrees"], about["mirrored"]) == (0, None, None)
    assert about["axes"][0]["name"] == "element"


def test_nothing_is_drawn_of_one_element():
    assert axes_of(Trivial()) == []


def test_what_is_told_most_easily_carries_as_well():
    group = Dihedral(8)
    rng = np.random.default_rng(0)
    subgroups = group.subgroups()
    chosen = rng.integers(len(subgroups), size=(40, 2))
    elements = rng.integers(group.order, size=40)
    after, before = ([subgroups[i] for i in side] for side in chosen.T)
    found = plainest(group, elements, after, before)
    for h, told, left, right in zip(elements, found, after, before, strict=True):
        same = {
            group.multiply(group.multiply(t, int(h)), s)
            for t in left.elements
            for s in right.elements
        }
        assert told in same
        if any(not group.mirrored[g] for g in same):
            assert not group.mirrored[told]
        angles = [min(group.turns[g], 8 - group.turns[g]) for g in same]
        of_told = min(group.turns[told], 8 - group.turns[told])
        assert of_told == min(
            a
            for a, g in zip(angles, same, strict=True)
            if group.mirrored[g] == group.mirrored[told]
        )
    trivial = [subgroups[0]] * 40
    np.testing.assert_array_equal(plainest(group, elements, trivial, trivial), elements)
    other = Quaternion()
    whole = [other.generated_subgroup(range(8))]
    assert plainest(other, np.array([5]), whole, whole).tolist() == [0]


def test_gaps_are_told_in_ranges():
    group = Dihedral(8)
    assert in_ranges(group, [1, 2, 3, 6, 9, 11], True) == [
        ["turned", "45° to 135°, 270°"],
        ["mirrored, then turned", "45°, 135°"],
    ]
    assert in_ranges(group, [], True) == []
    assert in_ranges(Quaternion(), [2, 3], True) == [
        ["elements", "; ".join(Quaternion().describe_element(g) for g in (2, 3))]
    ]
