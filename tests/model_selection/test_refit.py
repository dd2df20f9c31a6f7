from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_groupcross.model_selection import (
    KneePoint,
    SparsestWithin,
    read_frontier,
    score_crosscoder,
)

from .conftest import small_crosscoder

RULES = [SparsestWithin(), KneePoint()]


def results(l0, explained):
    return {
        "mean_test_neg_l0": -np.asarray(l0, dtype=float),
        "mean_test_explained_variance": np.asarray(explained, dtype=float),
    }


def test_sparsest_within():
    found = results([60, 30, 12, 5, 1], [0.95, 0.94, 0.93, 0.80, 0.2])
    assert SparsestWithin(0)(found) == 0
    assert SparsestWithin(0.01)(found) == 1
    assert SparsestWithin(0.02)(found) == 2
    assert SparsestWithin(0.2)(found) == 3
    assert SparsestWithin(1)(found) == 4
    with pytest.raises(ValueError, match="must not be negative"):
        SparsestWithin(-0.1)(found)


def test_sparsest_within_is_the_rule_it_says():
    rng = np.random.default_rng(0)
    for _ in range(50):
        l0, explained = rng.integers(1, 6, 9).astype(float), rng.integers(1, 6, 9) / 5
        i = SparsestWithin(0.3)(results(l0, explained))
        eligible = explained >= explained.max() - 0.3 - 1e-9
        assert eligible[i]
        assert l0[i] == l0[eligible].min()
        assert explained[i] == explained[eligible & (l0 == l0[i])].max()


def test_knee():
    # log L0 in equal steps; gains of 0.5, 0.3, 0.04, 0.01: the knee is where they stop
    assert KneePoint()(results([1, 2, 4, 8, 16], [0.1, 0.6, 0.9, 0.94, 0.95])) == 2
    # the order of the candidates does not matter
    assert KneePoint()(results([16, 4, 1, 8, 2], [0.95, 0.9, 0.1, 0.94, 0.6])) == 1


def test_the_knee_is_the_farthest_from_the_chord():
    rng = np.random.default_rng(0)
    for _ in range(20):
        l0 = np.sort(rng.uniform(1, 500, 8))
        explained = np.sort(rng.uniform(0, 1, 8))
        x = (np.log(l0) - np.log(l0[0])) / np.log(l0[-1] / l0[0])
        y = (explained - explained[0]) / (explained[-1] - explained[0])
        above = (y - x) / np.sqrt(2)
        expected = int(np.argmax(above)) if above.max() > 1e-12 else 7
        assert KneePoint()(results(l0, explained)) == expected


def test_knees_ignore_what_others_beat():
    frontier = results([1, 2, 4, 8, 16], [0.1, 0.6, 0.9, 0.94, 0.95])
    with_worse = results([1, 2, 4, 8, 16, 40, 6, 1], [0.1, 0.6, 0.9, 0.94, 0.95, 0.9, 0.5, -3])
    assert KneePoint()(with_worse) == KneePoint()(frontier)
    # a dictionary that has died has no logarithm
    assert KneePoint()(results([0, 1, 2, 4, 8, 16], [0, 0.1, 0.6, 0.9, 0.94, 0.95])) == 3
    assert KneePoint()(results([0, 0], [-0.1, 0])) == 1
    # a frontier that bends the other way has none
    assert KneePoint()(results([1, 2, 4], [0.1, 0.2, 0.9])) == 2


@pytest.mark.parametrize("rule", RULES)
def test_small_and_level_grids(rule):
    assert rule(results([7], [0.5])) == 0
    assert rule(results([7, 7, 7], [0.5, 0.9, 0.8])) == 1
    assert rule(results([7, 7, 7], [0.9, 0.9, 0.9])) == 0  # the first of equals
    assert type(rule(results([7], [0.5]))) is int


@pytest.mark.parametrize("rule", RULES)
def test_failed_candidates_are_ignored(rule):
    good = results([1, 2, 4, 8, 16], [0.1, 0.6, 0.9, 0.94, 0.95])
    with_failed = results([np.nan, 1, 2, np.nan, 4, 8, 16], [np.nan, 0.1, 0.6, 1, 0.9, 0.94, 0.95])
    assert rule(with_failed) == [1, 2, 4, 5, 6][rule(good)]
    with pytest.raises(ValueError, match="every fit failed"):
        rule(results([np.nan] * 3, [np.nan] * 3))


@pytest.mark.parametrize("rule", RULES)
def test_other_scorers_are_refused(rule):
    with pytest.raises(ValueError, match="pass scoring=score_crosscoder to GridSearchCV"):
        rule({"mean_test_score": np.ones(3)})
    with pytest.raises(ValueError, match="no mean_test_explained_variance:"):
        rule({"mean_test_neg_l0": np.ones(3)})


@pytest.mark.parametrize("rule", RULES)
def test_rules_are_values(rule):
    same = pickle.loads(pickle.dumps(rule))
    assert same == rule
    assert hash(same) == hash(rule)
    assert eval(repr(rule)) == rule  # the names are imported above
    assert SparsestWithin(0.1) != SparsestWithin(0.2)


# the largest penalty is meant to leave nothing
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("rule", [*RULES, "neg_description_length"])
def test_search_by_image(small_orbits, rule):
    flat = small_orbits.reshape(len(small_orbits), -1)
    images = np.arange(len(flat)) // 10
    pipeline = make_pipeline(FunctionTransformer(), small_crosscoder(max_epochs=60))
    search = GridSearchCV(
        pipeline,
        {"groupcrosscoder__l1": [0.003, 0.1, 3.0]},
        scoring=score_crosscoder,
        refit=rule,
        cv=GroupKFold(2),
    )
    search = pickle.loads(pickle.dumps(clone(search)))
    assert clone(search).get_params()["refit"] == rule
    search.fit(flat, groups=images)
    l0, explained = read_frontier(search.cv_results_)
    assert l0[0] > l0[1] > l0[2]
    if not isinstance(rule, str):
        assert search.best_index_ == rule(search.cv_results_)
        # the weakest penalty explains most, and is not taken for that
        assert search.best_index_ == 1 or explained[0] - explained[1] > 0.02
    assert search.best_estimator_[-1].l1 == search.best_params_["groupcrosscoder__l1"]
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.transform(flat), search.transform(flat))
    # every fold's images were held out whole, and scored as score_crosscoder does
    train, test = next(GroupKFold(2).split(flat, groups=images))
    assert not set(images[train]) & set(images[test])
    first = clone(pipeline).set_params(groupcrosscoder__l1=0.1).fit(flat[train])
    expected = score_crosscoder(first, flat[test])["neg_l0"]
    assert search.cv_results_["split0_test_neg_l0"][1] == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_search_in_which_some_fits_fail(small_orbits):
    flat = small_orbits.reshape(len(small_orbits), -1)
    grid = {"l1": [-1.0, 0.05, 0.5]}
    search = GridSearchCV(
        small_crosscoder(max_epochs=3), grid, scoring=score_crosscoder, refit=KneePoint(), cv=2
    )
    with pytest.warns(FitFailedWarning):
        search.fit(flat)
    assert search.best_index_ in (1, 2)
