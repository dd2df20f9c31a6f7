from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_groupcross.crosscoder import firings_per_number
from sklearn_groupcross.crosscoder._outcome import (
    warn_of_failure,
    warn_of_few_firings,
    warn_of_outcome,
)

from .test_schedule import options


def history(n_steps=100, fvu=(0.9, 0.4), dead=0, **more):
    return {"step_loss": [1.0] * n_steps, "fvu": list(fvu), "dead": [0, dead], **more}


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (history(dead=12), "12 of 12 atoms did not fire in the last epoch after 2 epochs"),
        (history(fvu=(0.9, 1.25)), r"no better than the mean of X \(fvu 1.25\) after 2 epochs"),
        (history(validation_fvu=[1.5, 1.0]), r"\(fvu 1\)"),
    ],
)
def test_a_run_that_learned_nothing_is_warned_of_with_what_to_try(run, message):
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        warn_of_failure(run, options(l1=0.5, learning_rate=0.02))
    advice = str(caught[0].message)
    assert "a lower l1 (it is 0.5)" in advice
    assert "a lower learning_rate (0.02)" in advice
    with pytest.warns(ConvergenceWarning) as caught:
        warn_of_failure(run, options(activation="topk", k=2))
    assert "l1" not in str(caught[0].message)  # it has no effect there


@pytest.mark.parametrize(
    "run",
    [
        history(),
        history(dead=11),  # 95 % would be 11.4
        history(fvu=(0.4, 3.0), validation_fvu=[0.5, 2.0]),  # the weights are the best epoch's
    ],
)
def test_others_are_let_pass(run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_failure(run, options())


class Fitted:
    """What is asked of a fitted crosscoder."""

    def __init__(self, n_atoms=10, n_numbers=100, n_orbits=1000, l0=5.0, **parameters):
        self.components_, self.n_coordinates_ = np.zeros((n_atoms, n_numbers)), n_numbers
        self.history_ = {"l0": [99.0, l0]}
        self.n_steps_, self.batch_size = 2 * n_orbits // 100, 100
        self.augment, self.compression = False, None
        vars(self).update(parameters)


def test_firings_per_number():
    assert firings_per_number(Fitted()) == 1000 * 5 / 10 / 100
    assert np.isnan(firings_per_number(Fitted(history_={"l0": []})))
    assert firings_per_number(Fitted(n_numbers=0)) == 500  # of equal samples nothing is learned


@pytest.mark.parametrize(
    ("fitted", "remedies"),
    [
        (Fitted(n_numbers=10001), ["augment=True", 'compression="auto"', "fewer atoms, or more"]),
        (Fitted(n_numbers=10001, augment=True), ['Try compression="auto", fewer atoms']),
        (Fitted(n_numbers=10001, augment=True, compression=0.9), ["Try fewer atoms, or more data"]),
    ],
)
def test_too_few_firings_are_warned_of_with_what_to_try(fitted, remedies):
    with pytest.warns(UserWarning, match="10001 numbers to learn, and fires some 500") as caught:
        warn_of_few_firings(fitted, 500)
    for remedy in remedies:
        assert remedy in str(caught[0].message)


def test_enough_firings_are_let_pass():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_few_firings(Fitted(n_numbers=10000), 500)


def test_short_runs_are_trials_and_failed_ones_are_warned_of_once():
    few = Fitted(n_numbers=99_999)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_outcome(few, history(n_steps=99, fvu=(3.0, 3.0), dead=12), options(), 10)
    for run, categories in ((history(dead=12), [ConvergenceWarning]), (history(), [UserWarning])):
        with pytest.warns() as caught:
            warn_of_outcome(few, run, options(), 10)
        assert [warning.category for warning in caught] == categories
