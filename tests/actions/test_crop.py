from __future__ import annotations

import pytest
import torch

from sklearn_groupcross.actions import (
    ImageAction,
    required_source_size,
)
from sklearn_groupcross.groups import Dihedral


def test_corners_are_never_shown():
    size = 40
    enough = required_source_size(size)
    ones = torch.ones(1, 1, enough, enough)
    assert ImageAction(Dihedral(16)).transform(ones, size).min() == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(ValueError, match=f"at least {enough} x {enough} px, or mask=True"):
        ImageAction(Dihedral(16)).transform(ones[..., 1:, 1:], size)
