from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    crosscoder_ensemble,
    crosscoder_path,
    make_orbits,
)
from sklearn_groupcross.crosscoder import firings_per_number
from sklearn_groupcross.crosscoder._outcome import (
    warn_of_failure,
    warn_of_few_firings,
    warn_of_outcome,
    warn_of_short_run,
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


class NotWarm:
    warm_start = False


@pytest.mark.parametrize(
    ("n_steps", "run", "figures"),
    [
        (
            99,
            history(fvu=(3.0, 0.8)),
            "99 steps in 2 passes over the data, and 80% of",
        ),
        (1, history(fvu=[0.5]), r"1 step in 1 pass over the data, and 50% .* \(fvu 0.5\)"),
        (7, history(fvu=(1.0, 1.0), validation_fvu=[1.0, 0.6]), r"\(fvu 0.6\)"),
        (99, history(fvu=[1.5], dead=12), r"\(fvu 1.5\)"),
    ],
)
def test_a_short_run_that_explains_little_is_warned_of_once(n_steps, run, figures):
    with pytest.warns(ConvergenceWarning, match=figures) as caught:
        warn_of_outcome(NotWarm(), run, replace(options(), n_steps=n_steps), 10)
    (warning,) = caught
    assert "Try more max_epochs, a smaller batch_size, or more data" in str(warning.message)


@pytest.mark.parametrize(
    ("n_steps", "fvu", "warm_start"),
    [
        (99, 0.49, False),  # short, and enough
        (99, 3.0, True),  # others follow
        (None, 3.0, False),  # a portion of many
    ],
)
def test_short_runs_that_are_meant_are_let_pass(n_steps, fvu, warm_start):
    run, few = history(fvu=[fvu]), Fitted(n_numbers=1, warm_start=warm_start)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_short_run(run, replace(options(), n_steps=100))
        if n_steps is not None:
            warn_of_outcome(few, run, replace(options(), n_steps=n_steps), 10)
        else:
            warn_of_short_run(run, replace(options(), n_steps=None))


def test_long_runs_are_warned_of_once():
    few = Fitted(n_numbers=99_999)
    for run, categories in ((history(dead=12), [ConvergenceWarning]), (history(), [UserWarning])):
        with pytest.warns() as caught:
            warn_of_outcome(few, run, replace(options(), n_steps=100), 10)
        assert [warning.category for warning in caught] == categories


def test_one_warning_a_fit_and_none_where_short_fits_are_meant():
    group = Dihedral(3)
    orbits = make_orbits(60, group=group, n_channels=8, random_state=0).orbits
    crosscoder = GroupCrosscoder(group, n_features=12, max_epochs=2, random_state=0)
    with pytest.warns(ConvergenceWarning, match="2 steps in 2 passes") as caught:
        crosscoder.fit(orbits)
    assert len(caught) == 1
    with pytest.warns(ConvergenceWarning) as caught:
        crosscoder_ensemble(crosscoder, orbits, 2)
    assert len(caught) == 2
    with pytest.warns(ConvergenceWarning) as caught:
        crosscoder_path(crosscoder, orbits, [0.1, 0.2, 0.3])
    assert len(caught) == 1  # that of the one that the others start from
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(crosscoder).partial_fit(orbits)
        clone(crosscoder).set_params(warm_start=True).fit(orbits).fit(orbits)
