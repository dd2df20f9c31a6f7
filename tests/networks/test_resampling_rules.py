from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from sklearn_groupcross import Network, OrbitDataset
from sklearn_groupcross.groups import Trivial
from tests.networks.modules import Of, conv, field_of, geometry


@pytest.mark.parametrize(
    ("finer", "size"),
    [
        (nn.Upsample(scale_factor=2), 4),
        (nn.Upsample(scale_factor=2, mode="bilinear"), 6),
        (nn.ConvTranspose2d(8, 8, 4, 2, 1), 6),
        (nn.Sequential(nn.Conv2d(8, 8, 1), nn.PixelShuffle(2)), 4),
    ],
)
def test_units_may_be_finer_than_before(finer, size):
    field = field_of(lambda x, stem, finer: finer(stem(x)), conv(), finer)
    assert geometry(field) == ((1, 1), (-0.5, -0.5), (size, size))
    assert field.repeats == (2, 2)
    with pytest.raises(ValueError, match="2 neighbouring units look at different parts"):
        OrbitDataset(
            [np.zeros((46, 46, 3))], network=Network(Of(
                lambda x, stem, finer: finer(stem(x)), conv(), finer), input_size=32),
            layer="out", group=Trivial(), interpolation="exact",
        )  # fmt: skip
