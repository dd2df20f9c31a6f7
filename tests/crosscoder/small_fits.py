"""Small data and quick fits, and whether two of them are the same."""

from __future__ import annotations

from functools import cache

import numpy as np

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits

GROUP = Dihedral(3)
LARGER_GROUP = Dihedral(4)


@cache
def small_orbits():
    return make_orbits(300, group=GROUP, n_channels=8, n_families=2, random_state=0).orbits


def small(**options):
    defaults = {
        "group": GROUP,
        "n_features": 12,
        "max_epochs": 5,
        "batch_size": 64,
        "random_state": 0,
    }
    return GroupCrosscoder(**{**defaults, **options})


@cache
def larger_orbits():
    return make_orbits(
        400, group=LARGER_GROUP, n_channels=12, n_families=3, noise=0.1, random_state=0
    ).orbits


def compressing(**options):
    defaults = {
        "group": LARGER_GROUP,
        "n_features": 24,
        "batch_size": 50,
        "max_epochs": 15,
        "compression": 0.9,
        "random_state": 0,
    }
    return GroupCrosscoder(**{**defaults, **options})


def assert_same_weights(first, second):
    for name in ("components_", "intercept_", "encoder_", "encoder_intercept_"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    assert np.array_equal(first.threshold_, second.threshold_)
    assert first.history_ == second.history_
