from __future__ import annotations

import pytest
import torch
from torch import nn

from sklearn_groupcross import Network, receptive_field
from tests.networks.modules import conv, geometry


@pytest.mark.parametrize(
    "norm",
    [
        nn.utils.parametrizations.spectral_norm,
        nn.utils.parametrizations.weight_norm,
        lambda part: nn.init.zeros_(part.weight) is None or part,
    ],
)
def test_weights_of_any_make_are_seen_through(norm):
    torch.manual_seed(0)
    parts = [norm(conv(1)), nn.ReLU(), norm(conv(1, 1, 8)), nn.ReLU()]
    network = Network(nn.Sequential(*parts), input_size=16)
    assert geometry(receptive_field(network, "3")) == ((1, 1), (0, 0), (5, 5))
