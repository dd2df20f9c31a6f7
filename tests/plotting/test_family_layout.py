from __future__ import annotations

from itertools import combinations
from math import hypot

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.analysis._poses import all_poses
from sklearn_groupcross.plotting._family_layout import lay_out_family
from sklearn_groupcross.testing import groups, subgroups


def check(layout, poses):
    """Every pose has a place within the picture, and none lies on another."""
    assert set(layout.slots) == set(poses)
    left, right, bottom, top = layout.extent
    places = [*layout.slots.values(), *([layout.medoid] if layout.medoid else [])]
    for slot in places:
        assert slot.diameter > 0
        assert left <= slot.x - slot.diameter / 2 <= slot.x + slot.diameter / 2 <= right
        assert bottom <= slot.y - slot.diameter / 2 <= slot.y + slot.diameter / 2 <= top
    for one, other in combinations(places, 2):
        apart = hypot(one.x - other.x, one.y - other.y)
        assert apart >= (one.diameter + other.diameter) / 2 - 1e-9


@given(groups(max_order=32), st.data())
def test_poses_do_not_lie_on_one_another(group, data):
    stabilizer = data.draw(subgroups(group))
    poses = all_poses(stabilizer)
    check(lay_out_family(group, poses, stabilizer), poses)


@pytest.mark.parametrize("group", [Cyclic(128), Dihedral(128)], ids=repr)
def test_large_wheels_name_some_of_their_turns(group):
    stabilizer = group.generated_subgroup([])
    poses = all_poses(stabilizer)
    layout = lay_out_family(group, poses, stabilizer)
    check(layout, poses)
    names = [slot.name for slot in layout.slots.values() if slot.name]
    assert 20 <= len(names) == len(set(names)) <= 36
    assert layout.slots[0].name == "0°"


def test_turns_go_counter_clockwise_from_the_top_and_once_round_is_what_changes_the_medoid():
    group = Dihedral(8)
    half_turn = group.generated_subgroup([4])
    layout = lay_out_family(group, all_poses(half_turn), half_turn)
    # 180° leave the medoid as it is: once round is 180°, so that 45° stand at a quarter
    up, quarter = layout.slots[0], layout.slots[1 + 1]
    assert (up.x, up.y, up.name) == (pytest.approx(0), 1, "0°")
    assert (quarter.x, quarter.y) == (pytest.approx(0, abs=1e-9), pytest.approx(-1))
    assert layout.slots[1].x == pytest.approx(-1)
    assert "once round is 180°" in layout.caption
    assert "inner ring: mirrored" in layout.caption
    inner = {hypot(slot.x, slot.y) for g, slot in layout.slots.items() if group.mirrored[g]}
    assert max(inner) < 1
