from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.analysis._family_separation import separation


def test_a_feature_alone_counts_zero_and_is_a_neighbor():
    points = np.array([0.0, 0.1, 1.0, 1.1, 5.0])
    distances = np.abs(points[:, None] - points)
    rng = np.random.default_rng(0)
    row = separation([distances] * 2, None, None, 0.2, 10, rng)
    inside = 1 - 0.1 / np.array([1.05, 0.95, 0.95, 1.05])
    assert row["silhouette"] == pytest.approx(inside.mean())
    assert row["silhouette_all"] == pytest.approx(inside.sum() / 5)
    assert row["share_in_families"] == 0.8
    assert np.isnan(row["silhouette_low"])  # two families are too few to draw from
    assert "fewer than 5 families to draw from" in row["undefined"]
