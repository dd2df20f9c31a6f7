from __future__ import annotations

import torch

from tests.tolerances import assert_near


def test_fast_normalization_is_torchs():
    from sklearn_groupcross.networks._bvlc_googlenet import CaffeLRN

    maps = 100 * torch.randn(2, 64, 5, 7, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)(maps)
    assert_near(CaffeLRN()(maps), expected, 5 + 1)  # five squares, and a power
    # Caffe's files have no arrays for it
    assert not CaffeLRN().state_dict()
