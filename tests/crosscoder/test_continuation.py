"""Going on from what was learned before: `warm_start` and `partial_fit`."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_groupcross import Cyclic

from .small_fits import GROUP, assert_same_weights, small, small_orbits


@pytest.fixture(scope="module")
def orbits():
    return small_orbits()


class TestWarmStart:
    def test_it_goes_on_from_the_last_weights(self, orbits):
        cold = small(max_epochs=60).fit(orbits)
        warm = small(max_epochs=60, warm_start=True).fit(orbits)
        assert_same_weights(cold, warm)
        warm.set_params(max_epochs=1, learning_rate=1e-9).fit(orbits)
        np.testing.assert_allclose(warm.components_, cold.components_, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(warm.transform(orbits), cold.transform(orbits), atol=1e-4)

    def test_jumprelu_keeps_its_thresholds(self, orbits):
        warm = small(activation="jumprelu", warm_start=True, max_epochs=30).fit(orbits)
        before = warm.threshold_.copy()
        warm.set_params(max_epochs=1, learning_rate=1e-9).fit(orbits)
        np.testing.assert_allclose(warm.threshold_, before, rtol=1e-5)

    def test_of_another_size_it_is_refused(self, orbits):
        fitted = small(warm_start=True).fit(orbits).set_params(n_features=13)
        with pytest.raises(ValueError, match="warm_start goes on from the last fit.*Fit a clone"):
            fitted.fit(orbits)

    def test_under_another_group_it_is_refused(self, orbits):
        """Of the same order, so that all shapes agree."""
        fitted = small(warm_start=True).fit(orbits).set_params(group=Cyclic(6))
        with pytest.raises(ValueError, match=r"last fit, under Dihedral\(3\); now group is Cyclic"):
            fitted.fit(orbits)
        assert fitted.group_ == GROUP


class TestPartialFit:
    def test_portions_are_learned_from(self, orbits):
        crosscoder = small()
        scores = []
        for _ in range(25):
            for part in np.array_split(orbits, 3):
                crosscoder.partial_fit(part)
            scores.append(crosscoder.score(orbits))
        assert scores[-1] > 0.5 > scores[0]
        assert len(crosscoder.history_["loss"]) == 75
        assert crosscoder.n_iter_ == 75
        assert crosscoder.n_steps_ == len(crosscoder.history_["step_loss"])

    @pytest.mark.parametrize("activation", ["relu", "batch_topk"])
    def test_a_pickle_in_between_changes_nothing(self, orbits, activation):
        crosscoder = small(activation=activation, k=3).partial_fit(orbits[:150])
        copied = pickle.loads(pickle.dumps(crosscoder))
        assert_same_weights(crosscoder.partial_fit(orbits[150:]), copied.partial_fit(orbits[150:]))

    def test_after_fit_it_goes_on_from_there(self, orbits):
        crosscoder = small(max_epochs=60).fit(orbits)
        before = crosscoder.score(orbits)
        crosscoder.partial_fit(orbits)
        assert crosscoder.score(orbits) > before - 0.05

    def test_fit_starts_again(self, orbits):
        crosscoder = small().partial_fit(orbits)
        assert_same_weights(crosscoder.fit(orbits), small().fit(orbits))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"n_features": 13}, r"n_features=13 \(was 12\)"),
            ({"activation": "topk", "k": 2}, r"activation='topk' \(was 'relu'\), k=2 \(was None\)"),
            ({"l1": 0.5}, r"l1=0.5 \(was 0.1\)"),
            ({"encoder_input": "orbit"}, "encoder_input='orbit'"),
            ({"augment": True}, "augment=True"),
            ({"group": Cyclic(6)}, r"group=Cyclic\(6\) \(was Dihedral\(3\)\)"),
            ({"group": "cyclic:6"}, r"group=Cyclic\(6\) \(was Dihedral\(3\)\)"),
        ],
    )
    def test_changed_parameters_are_refused(self, orbits, changes, message):
        crosscoder = small().partial_fit(orbits)
        before = crosscoder.components_.copy()
        with pytest.raises(ValueError, match="partial_fit goes on with.*" + message):
            crosscoder.set_params(**changes).partial_fit(orbits)
        np.testing.assert_array_equal(crosscoder.components_, before)
        assert len(clone(crosscoder).fit(orbits).components_) == crosscoder.n_features

    def test_what_has_no_effect_may_change(self, orbits):
        crosscoder = small().partial_fit(orbits)
        changed = copy.deepcopy(crosscoder).set_params(max_epochs=3, early_stopping=True, verbose=0)
        assert_same_weights(crosscoder.partial_fit(orbits), changed.partial_fit(orbits))

    def test_after_fit_the_message_is_about_partial_fit(self, orbits):
        fitted = small().fit(orbits).set_params(n_features=13)
        with pytest.raises(ValueError, match="^partial_fit goes on from the last.*or call fit"):
            fitted.partial_fit(orbits)

    def test_other_columns_are_refused(self, orbits):
        with pytest.raises(ValueError, match="expecting 48 features"):
            small().partial_fit(orbits).partial_fit(orbits[:, :, :4])
