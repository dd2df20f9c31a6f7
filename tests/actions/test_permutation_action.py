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


class BackwardsSetAction:
    """``(g·x)(u) = x(g u)``: a right action."""

    group = Symmetric(3)

    def transform(self, inputs):
        return inputs[:, torch.from_numpy(self.group.permutations.copy())]


def test_a_right_action_fails_the_check():
    check_action(SetAction(Symmetric(3), axis=1), torch.randn(2, 3))
    with pytest.raises(ValueError, match=r"not a left action of Symmetric\(3\).*g = \d, h = \d"):
        check_action(BackwardsSetAction(), torch.randn(2, 3))


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


class NotAnAction:
    group = Cyclic(2)


class Forgetful:
    group = Cyclic(2)

    def transform(self, inputs):
        return inputs


class Doubling:
    group = Cyclic(2)

    def transform(self, inputs):
        return torch.stack([2 * inputs, inputs], dim=1)


def test_the_check_says_what_is_missing():
    with pytest.raises(TypeError, match="a group and a method transform"):
        check_action(NotAnAction(), torch.randn(2, 3))
    with pytest.raises(ValueError, match=r"\(2, 2, ...\); got \(2, 3\)"):
        check_action(Forgetful(), torch.randn(2, 3))
    with pytest.raises(ValueError, match="the identity, changes inputs"):
        check_action(Doubling(), torch.randn(2, 3))


class Rolling:
    """By one place too many: no action of a cyclic group, and constant inputs do not show it."""

    group = Cyclic(3)

    def transform(self, inputs):
        return torch.stack([inputs.roll(k * (k + 1) // 2, -1) for k in range(3)], dim=1)


def test_the_hint_is_for_groups_whose_elements_do_not_commute():
    with pytest.raises(ValueError, match=r"for g = \d, h = \d\.$"):
        check_action(Rolling(), torch.randn(2, 7))
    with pytest.raises(ValueError, match="take the inverse"):
        check_action(BackwardsSetAction(), torch.randn(2, 3))


@pytest.mark.parametrize("inputs", [torch.zeros(2, 7), torch.ones(2, 7), torch.zeros(3, 1)])
def test_inputs_that_show_nothing_are_refused(inputs):
    with pytest.raises(ValueError, match="constant.*give random inputs"):
        check_action(Rolling(), inputs)


def test_inputs_that_are_none_are_refused():
    with pytest.raises(ValueError, match=r"at least one input; got .*\(0, 7\)"):
        check_action(Rolling(), torch.zeros(0, 7))
    with pytest.raises(TypeError, match="got ndarray"):
        check_action(Rolling(), np.zeros((2, 7)))
