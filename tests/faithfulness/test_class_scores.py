from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_groupcross import Network
from sklearn_groupcross.faithfulness import downstream_effect
from tests.faithfulness.handmade import exact, row, shrunken


def test_probabilities_say_the_same_as_logits(network, smooth_images):
    softmax = Network(
        torch.nn.Sequential(network.module, torch.nn.Softmax(dim=1)),
        network.preprocess,
        input_size=96,
        default_layer="0.relu3",
    )
    labels = np.arange(6)
    pd.testing.assert_frame_equal(
        downstream_effect(shrunken(0.5), softmax, smooth_images, labels=labels),
        downstream_effect(shrunken(0.5), network, smooth_images, labels=labels),
        rtol=1e-4,
        atol=1e-6,
    )


def test_probabilities_of_zero_stay_finite():
    class Certain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.read = torch.nn.Identity()

        def forward(self, x):
            # all or nothing, by the sign of the map's mean
            positive = (self.read(x).mean(dim=(1, 2, 3)) > 0).float()
            return torch.stack([positive, 1 - positive], dim=1)

    network = Network(Certain(), input_size=8, default_layer="read")
    images = np.full((2, 8, 8, 3), 128, dtype=np.uint8)
    effects = downstream_effect(exact(3), network, images, source_size=8)
    assert row(effects, "zero ablation")["kl"] == pytest.approx(87.3, abs=0.1)
    # all positions are alike: the mean is the map, and there is nothing to recover
    assert row(effects, "mean ablation")["kl"] == 0
    assert effects["recovered"].isna().all()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"one for each of 6 images; got int64 of shape \(2,\)"),
        (np.zeros(6), "got float64"),
        ([0, 1, 2, 3, 4, -1], "from 0; got -1"),
        ([0, 1, 2, 3, 4, 70], "class 70.*has 70 classes"),
    ],
)
def test_labels_that_do_not_fit_are_refused(network, smooth_images, labels, message):
    with pytest.raises(ValueError, match=message):
        downstream_effect(exact(), network, smooth_images, labels=labels)
