from __future__ import annotations

import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_groupcross.crosscoder._outcome import warn_of_failure

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
        history(n_steps=99, fvu=(3.0, 3.0), dead=12),
        history(fvu=(0.4, 3.0), validation_fvu=[0.5, 2.0]),  # the weights are the best epoch's
    ],
)
def test_others_are_let_pass(run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_failure(run, options())
