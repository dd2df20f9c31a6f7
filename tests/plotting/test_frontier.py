from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.model_selection import KneePoint, SparsestWithin, score_crosscoder
from sklearn_groupcross.plotting import FrontierDisplay

PENALTIES = [0.01, 0.05, 0.2]


@pytest.fixture(scope="module")
def orbits():
    data = make_orbits(120, group=Dihedral(3), n_channels=6, n_families=2, random_state=0)
    return data.orbits.reshape(120, -1)


@pytest.fixture(scope="module")
def search(orbits):
    crosscoder = GroupCrosscoder(
        group=Dihedral(3), n_features=10, batch_size=32, max_epochs=8, random_state=0
    )
    return GridSearchCV(
        make_pipeline(crosscoder),
        [
            {"groupcrosscoder__l1": PENALTIES},
            {"groupcrosscoder__activation": ["topk"], "groupcrosscoder__k": [2, 4]},
        ],
        scoring=score_crosscoder,
        refit=SparsestWithin(),
        cv=2,
    ).fit(orbits)


def curves(display):
    """Label, x and y of every line with error bars."""
    found = {}
    for container in display.ax_.containers:
        x, y = container.lines[0].get_data()
        found[container.get_label()] = (np.asarray(x), np.asarray(y))
    return found


def written(display):
    return {text.get_text(): text.xy for text in display.ax_.texts}


def test_a_search_shows_its_numbers(search):
    display = FrontierDisplay.from_cv_results(search, label="search").plot()
    results = search.cv_results_
    l0, explained = -results["mean_test_neg_l0"], results["mean_test_explained_variance"]
    lines = curves(display)
    assert set(lines) == {"search", "search, topk"}
    x, y = lines["search"]
    assert sorted(x) == list(x)
    np.testing.assert_allclose(sorted(x), sorted(l0[:3]))
    np.testing.assert_allclose(sorted(y), sorted(explained[:3]))
    x, y = lines["search, topk"]
    np.testing.assert_allclose(x, l0[3:])
    np.testing.assert_allclose(y, explained[3:])
    assert display.ax_.get_xscale() == "log"
    names = written(display)
    assert set(names) <= {"λ=0.01", "λ=0.05", "λ=0.2", "k=2", "k=4"}
    assert names["k=4"] == (l0[4], explained[4])
    np.testing.assert_array_equal(display.l0_error, results["std_test_neg_l0"])
    np.testing.assert_array_equal(
        display.explained_variance_error, results["std_test_explained_variance"]
    )
    assert all(container.has_yerr for container in display.ax_.containers)


def test_the_chosen_one_is_marked(search):
    def ring(display):
        (line,) = [line for line in display.ax_.lines if line.get_label() == "chosen"]
        return line.get_xdata()[0], line.get_ydata()[0]

    display = FrontierDisplay.from_cv_results(search).plot()
    best = search.best_index_
    assert ring(display) == (display.l0[best], display.explained_variance[best])
    # its name is written even where there is little room
    assert display.names[best] in written(display)
    results = search.cv_results_
    display = FrontierDisplay.from_cv_results(results, chosen=KneePoint()).plot()
    knee = KneePoint()(results)
    assert ring(display) == (display.l0[knee], display.explained_variance[knee])
    assert FrontierDisplay.from_cv_results(results).chosen is None
    # two searches in one picture, and one entry in the legend
    FrontierDisplay.from_cv_results(results, chosen=0, label="again").plot(display.ax_)
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend.count("chosen") == 1
    assert "again" in legend


def test_estimators_are_measured(orbits):
    estimators = [
        GroupCrosscoder(
            group=Dihedral(3), n_features=10, max_epochs=5, random_state=0, **options
        ).fit(orbits)
        for options in ({"l1": 0.02}, {"l1": 0.2}, {"activation": "topk", "k": 3})
    ]
    estimators[1] = make_pipeline(estimators[1])
    display = FrontierDisplay.from_estimators(estimators, orbits).plot()
    assert display.labels == ["relu", "relu", "topk"]
    assert display.names == ["λ=0.02", "λ=0.2", "k=3"]
    estimators[2].set_params(activation="relu")  # that is for the next fit
    again = FrontierDisplay.from_estimators(estimators, orbits)
    assert (again.labels, again.names) == (display.labels, display.names)
    np.testing.assert_allclose(
        display.explained_variance[0], estimators[0].score(orbits), rtol=1e-5
    )
    assert 2 < display.l0[2] <= 3
    assert not any(container.has_yerr for container in display.ax_.containers)


def test_points_without_a_place_are_left_out():
    display = FrontierDisplay.from_arrays(
        [0, 3, np.nan, 9], [0, 0.5, np.nan, 0.9], names=list("abcd"), chosen=0
    ).plot()
    (x, y) = next(iter(curves(display).values()))
    assert (list(x), list(y)) == ([3, 9], [0.5, 0.9])
    assert set(written(display)) == {"b", "d"}
    assert display.ax_.get_legend() is None
    FrontierDisplay.from_arrays([np.nan], [np.nan]).plot()


def test_names_do_not_lie_on_each_other():
    l0 = np.linspace(30, 31, 40)
    display = FrontierDisplay.from_arrays(
        [1, *l0], [0.2, *np.linspace(0.9, 0.91, 40)], names=[f"n{i}" for i in range(41)], chosen=20
    ).plot()
    assert "n20" in written(display)
    assert len(written(display)) < 10


def test_parameters_that_are_no_numbers_make_lines():
    results = {
        "mean_test_neg_l0": -np.arange(1.0, 5.0),
        "mean_test_explained_variance": np.arange(4) / 4,
        "params": [{"l1": l1, "augment": a} for a in (False, True) for l1 in (0.1, 0.2)],
    }
    display = FrontierDisplay.from_cv_results(results)
    assert display.labels == ["augment=False"] * 2 + ["augment=True"] * 2
    assert display.names == ["λ=0.1", "λ=0.2"] * 2
    assert display.l0_error is None


def test_draws_on_given_axes():
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    display = FrontierDisplay.from_arrays([1, 2], [0.1, 0.2]).plot(ax, linestyle="--")
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert ax.containers[0].lines[0].get_linestyle() == "--"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FrontierDisplay.from_arrays([1, 2], [0.5]), "one entry a point"),
        (lambda: FrontierDisplay.from_arrays(np.ones((2, 2)), np.ones((2, 2))), "one entry a poi"),
        (lambda: FrontierDisplay.from_arrays([1], [0.5], names=["a", "b"]), "one entry a point"),
        (lambda: FrontierDisplay.from_arrays([1], [0.5], chosen=1), "chosen=1 is none of"),
        (lambda: FrontierDisplay.from_cv_results({"params": []}), "scoring=score_crosscoder"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sklearn-groupcross\[plot\]"):
        FrontierDisplay.from_arrays([1], [0.5]).plot()


def test_a_mapping_names_its_estimators(orbits):
    fitted = GroupCrosscoder(group=Dihedral(3), n_features=10, max_epochs=5, random_state=0)
    fitted.fit(orbits)
    display = FrontierDisplay.from_estimators({"mine": fitted, "yours": fitted}, orbits)
    assert display.names == ["mine", "yours"]
    with pytest.raises(TypeError, match="got one GroupCrosscoder: put it into a list"):
        FrontierDisplay.from_estimators(fitted, orbits)
    with pytest.raises(ValueError, match="estimators is empty"):
        FrontierDisplay.from_estimators([], orbits)
