"""What an estimator takes over is its own."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder._adoption import columns_of, set_fitted

GROUP = Dihedral(3)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(100, group=GROUP, n_channels=4, random_state=0).orbits


@pytest.mark.parametrize("options", [{}, {"compression": 0.9}, {"activation": "jumprelu"}], ids=str)
def test_what_was_learned_stays_when_training_goes_on(orbits, options):
    crosscoder = GroupCrosscoder(GROUP, 8, random_state=0, **options).partial_fit(orbits)
    fitted = {name: value for name, value in vars(crosscoder).items() if name.endswith("_")}
    before = copy.deepcopy(fitted)
    crosscoder.partial_fit(orbits)
    np.testing.assert_equal(fitted, before)
    assert not np.array_equal(crosscoder.components_, before["components_"])
    assert (crosscoder.n_iter_, before["n_iter_"]) == (2, 1)


def test_passes_and_batches_are_counted(orbits):
    crosscoder = GroupCrosscoder(GROUP, 8, max_epochs=3, batch_size=30, random_state=0).fit(orbits)
    assert (crosscoder.n_iter_, crosscoder.n_steps_) == (3, 3 * 4)
    for portion in (orbits[:50], orbits[50:]):  # these are counted from the first of them
        crosscoder.partial_fit(portion)
    assert (crosscoder.n_iter_, crosscoder.n_steps_) == (2, 2 * 2)


def test_columns_go_from_one_estimator_to_another():
    import pandas as pd

    X = pd.DataFrame(np.random.default_rng(0).standard_normal((20, 6)), columns=list("abcdef"))
    fitted = GroupCrosscoder("cyclic:3", 4, max_epochs=1).fit(X)
    other = GroupCrosscoder("cyclic:3", 4)
    set_fitted(other, columns_of(fitted))
    assert (other.n_features_in_, other.n_channels_, other.group_) == (6, 2, fitted.group_)
    assert other.feature_names_in_.tolist() == list("abcdef")
    assert not hasattr(other, "components_")
