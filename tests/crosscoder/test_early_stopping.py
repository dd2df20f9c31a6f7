"""When a run is stopped early, on which samples, and with which weights."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.crosscoder._resolution import draw_seed
from sklearn_groupcross.crosscoder._splitting import split_rows

from .small_fits import small, small_orbits


@pytest.fixture(scope="module")
def orbits():
    return small_orbits()


def test_it_stops_and_keeps_the_best_epoch(orbits):
    stopped = small(
        early_stopping=True, max_epochs=400, n_iter_no_change=3, learning_rate=0.05, l1=0.0
    ).fit(orbits[:60])
    unexplained = stopped.history_["validation_fvu"]
    np.testing.assert_allclose(stopped.history_["validation_loss"], unexplained)  # l1 is 0
    assert len(unexplained) == stopped.n_iter_ < 400
    assert np.argmin(unexplained) == len(unexplained) - 4
    held_out = split_rows(60, None, 0.1, draw_seed(0))[1]
    part = orbits[:60][held_out].reshape(len(held_out), -1)
    error = np.square(part - stopped.inverse_transform(stopped.transform(part))).sum(1).mean()
    variance = np.square(orbits[:60] - orbits[:60].mean(0)).sum((1, 2)).mean()
    assert error / variance == pytest.approx(min(unexplained), rel=1e-3)


@pytest.mark.parametrize("activation", ["relu", "jumprelu"])
def test_it_does_not_stop_before_learning_has_begun(orbits, activation):
    """A warm-up is a share of the longest run that is allowed: little is learned within it."""
    options = {"activation": activation, "l1": 0.3, "learning_rate": 0.02}
    stopped = small(early_stopping=True, max_epochs=1000, **options).fit(orbits)
    assert 50 < len(stopped.history_["validation_fvu"]) < 1000
    assert stopped.score(orbits) > small(max_epochs=200, **options).fit(orbits).score(orbits) - 0.1


def test_the_best_state_is_not_the_one_before_the_penalty(orbits):
    """The penalty costs reconstruction, and is what the dictionary is for."""
    options = {"l1": 1.0, "max_epochs": 100, "learning_rate": 0.02}
    l0 = [
        (small(early_stopping=stop, **options).fit(orbits).transform(orbits) > 0).sum(1).mean()
        for stop in (True, False)
    ]
    assert l0[0] < 2 * l0[1] + 0.5
