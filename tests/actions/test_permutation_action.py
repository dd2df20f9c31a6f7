from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.actions import (
    PermutationAction,
    SetAction,
    TimeShiftAction,
    check_action,
)
from sklearn_groupcross.groups import Alternating, Cyclic, Dihedral, Quaternion, Symmetric
from tests.groups.strategies import NON_ABELIAN


def numbers(*shape):
    """Different everywhere, so that no rearrangement goes unnoticed."""
    return torch.arange(int(np.prod(shape))).reshape(shape)


@given(st.sampled_from(NON_ABELIAN), st.sampled_from([1, 2, -1, -2]))
def test_the_regular_action_is_a_left_action_and_exact(group, axis):
    """Element g sends place u to place g u."""
    shape = [2, 3, 3]
    shape[axis] = group.order
    action = PermutationAction(group, group.cayley_table, axis)
    check_action(action, numbers(*shape), tolerance=0.0)
    original = numbers(*shape).movedim(axis, -1)
    for g in range(group.order):
        moved = action.transform(numbers(*shape))[:, g].movedim(axis, -1)
        for u in range(group.order):
            assert torch.equal(moved[..., group.multiply(g, u)], original[..., u])


@pytest.mark.parametrize("group", NON_ABELIAN, ids=repr)
def test_the_right_convention_is_refused_with_a_hint(group):
    with pytest.raises(ValueError, match="opposite order: give their inverses"):
        PermutationAction(group, np.argsort(group.cayley_table, axis=1))


@pytest.mark.parametrize("group", [Symmetric(4), Alternating(4)], ids=repr)
def test_items_of_sets_go_where_the_permutation_says(group):
    sets = numbers(2, 4, 3)
    transformed = SetAction(group).transform(sets)
    for g, permutation in enumerate(group.permutations):
        for item, place in enumerate(permutation):
            assert torch.equal(transformed[:, g, place], sets[:, item])


@given(st.integers(1, 7), st.integers(1, 4), st.sampled_from([1, 2, -1]))
def test_time_shifts_delay(n, multiple, axis):
    shape = [2, 3, 3]
    shape[axis] = n * multiple
    signals, action = numbers(*shape), TimeShiftAction(Cyclic(n), axis)
    check_action(action, signals, tolerance=0.0)
    for k in range(n):
        delayed = action.transform(signals)[:, k].movedim(axis, -1)
        for t in range(n * multiple):
            earlier = signals.movedim(axis, -1)[..., (t - k * multiple) % (n * multiple)]
            assert torch.equal(delayed[..., t], earlier)


def test_time_shifts_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match=r"30 samples are no multiple of 8: .* to 32 samples"):
        TimeShiftAction(Cyclic(8)).transform(torch.zeros(1, 30))


def test_shifts_are_counted_in_samples_where_the_length_is_known():
    action = TimeShiftAction(Cyclic(8), length=16)
    assert [action.group.describe_element(k) for k in (0, 1, 3)] == [
        "identity",
        "shift by 1 of 8 (2 samples)",
        "shift by 3 of 8 (6 samples)",
    ]
    single = TimeShiftAction(Cyclic(8), length=8).group
    assert single.describe_element(1) == "shift by 1 of 8 (1 sample)"
    assert eval(repr(action)).length == 16
    assert action.example_axes() == {-1: 16}
    signals = torch.arange(16)[None]
    assert torch.equal(action.transform(signals), TimeShiftAction(Cyclic(8)).transform(signals))
    with pytest.raises(ValueError, match=r"signals of 16 samples along axis -1; got .* \(1, 24\)"):
        action.transform(torch.zeros(1, 24))
    with pytest.raises(ValueError, match="12 samples are no multiple of 8"):
        TimeShiftAction(Cyclic(8), length=12)
    with pytest.raises(TypeError, match="length is a whole number"):
        TimeShiftAction(Cyclic(8), length=8.0)


@pytest.mark.parametrize(
    "action", [TimeShiftAction(Cyclic(4)), SetAction(Symmetric(3)), SetAction(Alternating(4))]
)
def test_an_action_takes_the_group_of_another_one(action):
    again = type(action)(action.group)
    assert repr(again) == repr(action)
    order = action.group.order
    words = [again.group.describe_element(g) for g in range(order)]
    assert words == [action.group.describe_element(g) for g in range(order)]


def test_bad_arguments_are_refused():
    with pytest.raises(TypeError, match=r"Cyclic\(n\)"):
        TimeShiftAction(Dihedral(4))
    with pytest.raises(TypeError, match="PermutationAction"):
        SetAction(Quaternion())
    with pytest.raises(ValueError, match=r"shape \(3, length\)"):
        PermutationAction(Cyclic(3), [[0, 1, 2]])
    with pytest.raises(ValueError, match="Row 1 is not a permutation of 0 to 2"):
        PermutationAction(Cyclic(3), [[0, 1, 2], [1, 1, 0], [2, 0, 1]])
    with pytest.raises(ValueError, match="permutation 1 after permutation 1 is not permutation 2"):
        PermutationAction(Cyclic(3), [[0, 1, 2], [1, 0, 2], [2, 0, 1]])
    action = PermutationAction(Cyclic(3), [[0, 1, 2], [1, 2, 0], [2, 0, 1]])
    with pytest.raises(ValueError, match="moves 3 places along axis -1"):
        action.transform(torch.zeros(2, 4))
