from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_groupcross import Dihedral, GroupCrosscoder, crosscoder_ensemble, make_orbits
from sklearn_groupcross.crosscoder import _feed

GROUP = Dihedral(3)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(
        300, group=GROUP, n_channels=12, n_families=2, n_active=3, random_state=0
    ).orbits


def estimator(**options):
    defaults = {
        "group": GROUP,
        "n_features": 24,
        "batch_size": 100,
        "max_epochs": 6,
        "random_state": 0,
    }
    return GroupCrosscoder(**{**defaults, **options})


SETTINGS = [
    {"activation": "relu", "max_epochs": 40},  # long enough for atoms to be resampled
    {"activation": "topk", "k": 3, "augment": True, "compression": 0.9},
    {"activation": "batch_topk", "k": 3, "encoder_input": "orbit"},
    {"activation": "jumprelu", "compression": 0.8},
]


@pytest.mark.parametrize("options", SETTINGS, ids=lambda options: options["activation"])
def test_the_first_is_the_plain_fit_and_larger_ensembles_begin_with_smaller(orbits, options):
    three = crosscoder_ensemble(estimator(**options), orbits, 3)
    two = crosscoder_ensemble(estimator(**options), orbits, 2)
    alone = estimator(**options).fit(orbits)
    for one, other in zip([*two, alone], [*three[:2], three[0]], strict=True):
        for name in ("components_", "encoder_", "encoder_intercept_", "intercept_", "threshold_"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert one.history_ == other.history_
    distances = [np.abs(a.components_ - b.components_).max() for a, b in pairwise(three)]
    assert min(distances) > 0.1 * np.abs(alone.components_).max()


class CountedStore:
    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.n_reads = 0

    def __getitem__(self, rows):
        self.n_reads += 1
        return self._array[rows]


def test_passes_are_shared_and_coordinates_are_found_once(orbits, monkeypatch):
    found = []
    fit_basis = _feed.fit_basis
    monkeypatch.setattr(_feed, "fit_basis", lambda *args: found.append(1) or fit_basis(*args))
    n_reads = []
    for n_seeds in (1, 4):
        store = CountedStore(orbits)
        crosscoder_ensemble(estimator(compression=0.9), store, n_seeds)
        n_reads.append(store.n_reads)
    assert len(found) == 2
    assert n_reads[0] == n_reads[1] > 6 * 3


def test_the_others_learn_as_much_as_separate_fits(orbits):
    options = {"activation": "topk", "k": 3, "max_epochs": 60}
    ensemble = crosscoder_ensemble(estimator(**options), orbits)
    scores = [fitted.score(orbits) for fitted in ensemble]
    alone = [estimator(**options, random_state=seed).fit(orbits).score(orbits) for seed in (1, 2)]
    assert min(scores) > min(alone) - 0.03


def test_the_estimator_and_its_random_state_are_left_alone(orbits, tmp_path):
    state = np.random.RandomState(3)
    template = estimator(random_state=state, max_epochs=1)
    before = state.get_state()[1].copy()
    ensemble = crosscoder_ensemble(template, orbits, 2)
    assert not hasattr(template, "components_")
    np.testing.assert_array_equal(state.get_state()[1], before)
    for fitted in ensemble:
        fitted.set_params(random_state=None).save(tmp_path / "model.safetensors")
        again = GroupCrosscoder.load(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(again.transform(orbits), fitted.transform(orbits))


def test_a_dictionary_that_learned_nothing_warns(orbits):
    with pytest.warns(ConvergenceWarning, match="did not fire"):
        crosscoder_ensemble(estimator(l1=50.0, max_epochs=40), orbits, 1)


@pytest.mark.parametrize(
    ("options", "n_seeds", "message"),
    [
        ({}, 0, "1 or more; got 0"),
        ({}, 2.0, r"1 or more; got 2\.0"),
        ({}, True, "1 or more; got True"),
        ({"dict_init": np.ones((24, 72))}, 2, "would start alike"),
    ],
)
def test_bad_input(orbits, options, n_seeds, message):
    with pytest.raises(ValueError, match=message):
        crosscoder_ensemble(estimator(**options), orbits, n_seeds)
