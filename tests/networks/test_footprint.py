from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sklearn_groupcross import Network, receptive_field
from sklearn_groupcross.networks import confirm_receptive_field


def test_gradients_refute_a_wrong_field(small_network):
    field = receptive_field(small_network, "relu")
    confirm_receptive_field(small_network, "relu", field)
    for wrong in (
        {"offset": (field.offset[0] + 1, field.offset[1])},
        {"size": (field.size[0], field.size[1] + 2)},
        {"size": (field.size[0] - 2, field.size[1])},
        {"stride": (3.0, 4.0)},
    ):
        with pytest.raises(ValueError, match=r"'relu' of 'small' is wrong: gradients of unit"):
            confirm_receptive_field(small_network, "relu", replace(field, **wrong))


@torch.library.custom_op("groupcross_tests::seeing_above", mutates_args=())
def _seeing_above(x: torch.Tensor) -> torch.Tensor:
    """An operation that nobody knows: in the upper half, rows see the row above them too."""
    moved = x.clone()
    moved[:, :, 1 : x.shape[2] // 2] += x[:, :, : x.shape[2] // 2 - 1]
    return moved


def _back_through_seeing_above(context, gradient):
    back, half = gradient.clone(), gradient.shape[2] // 2
    back[:, :, : half - 1] += gradient[:, :, 1:half]
    return back


_seeing_above.register_autograd(_back_through_seeing_above)


class Hidden(torch.nn.Module):
    def forward(self, x):
        return _seeing_above(x)


def test_gradients_refute_what_the_operations_hide():
    network = Network(torch.nn.Sequential(Hidden()), input_size=16)
    # an unknown operation that keeps the shape is taken for one that works unit by unit
    assert receptive_field(network, "0", confirm=False).size == (1, 1)
    for confirmed in ({}, {"confirm": True}):
        with pytest.raises(ValueError, match="columns and 3 to 4 along rows; its field is derived"):
            receptive_field(network, "0", **confirmed)
