from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits

GROUP = Dihedral(3)


def small_crosscoder(**options) -> GroupCrosscoder:
    defaults = {"group": GROUP, "n_features": 12, "max_epochs": 15, "random_state": 0}
    return GroupCrosscoder(**{**defaults, "batch_size": 64, **options})


@pytest.fixture(scope="session")
def small_orbits() -> np.ndarray:
    return make_orbits(260, group=GROUP, n_channels=8, n_families=2, random_state=0).orbits


@pytest.fixture(scope="session")
def train_orbits(small_orbits) -> np.ndarray:
    return small_orbits[:160]


@pytest.fixture(scope="session")
def test_orbits(small_orbits) -> np.ndarray:
    return small_orbits[160:]


@pytest.fixture(scope="session")
def fitted(train_orbits) -> GroupCrosscoder:
    return small_crosscoder().fit(train_orbits)
