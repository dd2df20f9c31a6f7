from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross.actions import (
    SetAction,
    check_action,
)
from sklearn_groupcross.groups import Cyclic, Symmetric


class BackwardsSetAction:
    """``(g·x)(u) = x(g u)``: a right action."""

    group = Symmetric(3)

    def transform(self, inputs):
        return inputs[:, torch.from_numpy(self.group.permutations.copy())]


def test_a_right_action_fails_the_check():
    check_action(SetAction(Symmetric(3), axis=1), torch.randn(2, 3))
    with pytest.raises(ValueError, match=r"not a left action of Symmetric\(3\).*g = \d, h = \d"):
        check_action(BackwardsSetAction(), torch.randn(2, 3))


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
