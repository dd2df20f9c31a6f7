from __future__ import annotations

from sklearn_groupcross.actions import (
    circular_mask,
)


def test_mask_radius_and_softness():
    mask = circular_mask(21, radius=8, softness=4)
    assert mask[10, 10] == 1
    assert mask[10, 10 + 6] == 0.5
    assert mask[10, 10 + 8] == 0
