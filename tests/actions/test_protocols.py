from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic
from sklearn_groupcross.actions import (
    Action,
    HueAction,
    ImageAction,
    ImageProductAction,
    PositionedAction,
    TimeShiftAction,
)
from sklearn_groupcross.actions._protocols import check_inputs


@given(st.integers(0, 4), st.integers(-6, 6))
def test_an_axis_is_one_of_a_sample_and_not_of_the_samples(n_axes, axis):
    inputs = torch.zeros([2] * n_axes)
    if axis in range(1, n_axes) or axis in range(1 - n_axes, 0):
        check_inputs(inputs, axis)
    else:
        with pytest.raises(ValueError, match=rf"moves axis {axis} of each input.*got a tensor"):
            check_inputs(inputs, axis)


def test_arrays_are_no_tensors():
    with pytest.raises(TypeError, match="transforms a torch Tensor"):
        check_inputs(np.zeros((2, 3)), 1)


def test_all_actions_move_inputs_and_those_of_images_positions():
    turns, hues = ImageAction(Cyclic(4)), HueAction(3)
    shifts = TimeShiftAction(Cyclic(4))
    for action in (turns, hues, ImageProductAction(turns, hues), shifts):
        assert isinstance(action, Action)
        assert isinstance(action, PositionedAction) == (action is not shifts)
    assert not isinstance(Cyclic(4), Action)
