"""A fit that fails leaves everything as it was."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, OrbitScaler, SymmetryAnalyzer
from sklearn_groupcross.crosscoder import _training, crosscoder_ensemble, crosscoder_path

GROUP = Dihedral(4)


X = np.random.default_rng(0).normal(size=(40, 8, 5)).astype(np.float32)


NAN = np.where(np.arange(40)[:, None, None] == 3, np.nan, X)


def crosscoder(**options):
    options = {"n_features": 6, "max_epochs": 2, "batch_size": 16, "random_state": 0, **options}
    return GroupCrosscoder(GROUP, **options)


class Breaks:
    """Rows that fail to be read from the n-th reading on."""

    def __init__(self, n, error):
        self.n, self.error, self.shape, self.dtype = n, error, X.shape, X.dtype

    def __getitem__(self, index):
        self.n -= 1
        if self.n < 0:
            raise self.error
        return X[index]


#: Ways in which a fit of an estimator over `GROUP` fails.
FAILURES = {
    "NaN": lambda fit, one: fit(NAN),
    "NaN in narrower data": lambda fit, one: fit(NAN[..., :3]),
    "NaN under another group": lambda fit, one: fit_with(fit, one, NAN, group=Cyclic(8)),
    "columns that do not divide": lambda fit, one: fit(X.reshape(40, -1)[:, :7]),
    "another number of blocks": lambda fit, one: fit(X[:, :3]),
    "a group that is none": lambda fit, one: fit_with(fit, one, X, group="dihedral"),
    "text": lambda fit, one: fit(np.array([["a", "b"]])),
    "other names": lambda fit, one: fit(pd.DataFrame(NAN.reshape(40, -1)).add_prefix("x")),
    "masked": lambda fit, one: fit(np.ma.masked_array(X, mask=X > 2)),
    "a disk that fails": lambda fit, one: fit(Breaks(0, OSError("the disk is gone"))),
    "Ctrl-C while reading": lambda fit, one: fit(Breaks(0, KeyboardInterrupt())),
}


OF_CROSSCODERS = {
    "one sample": lambda fit, one: fit(X[:1]),
    "too many k": lambda fit, one: fit_with(fit, one, X, activation="topk", k=9),
    "a senseless parameter": lambda fit, one: fit_with(fit, one, X, l1=-1.0),
    "dict_init of another shape": lambda fit, one: fit_with(fit, one, X, dict_init=X[0]),
    "an absent device": lambda fit, one: fit_with(fit, one, X, device="cuda:77"),
    "a disk that fails while training": lambda fit, one: fit(Breaks(3, OSError("gone"))),
    "Ctrl-C while the data are read for training": lambda fit, one: fit(
        Breaks(3, KeyboardInterrupt())
    ),
    "float32 far from zero": lambda fit, one: fit(X + np.float32(3e7)),
}


def fit_with(fit, one, data, **parameters):
    before = one.get_params()
    one.set_params(**parameters)
    try:
        fit(data)
    finally:
        one.set_params(**{name: before[name] for name in parameters})


def frozen(one):
    """Everything that an object holds, parameters included, bit for bit."""
    return {name: pickle.dumps(value) for name, value in vars(one).items()}


def fails(failure, fit, one):
    with pytest.raises((ValueError, TypeError, OSError, KeyboardInterrupt, RuntimeError)):
        failure(fit, one)


@pytest.mark.parametrize("name", [*FAILURES, *OF_CROSSCODERS])
@pytest.mark.parametrize("options", [{}, {"warm_start": True}, {"early_stopping": True}])
def test_crosscoder_stays_what_it_was(name, options):
    failure = {**FAILURES, **OF_CROSSCODERS}[name]
    one = crosscoder(**options).fit(X)
    before, codes, score = frozen(one), one.transform(X), one.score(X)
    fails(failure, one.fit, one)
    assert frozen(one) == before
    np.testing.assert_array_equal(one.transform(X), codes)
    assert one.score(X) == score


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", [*FAILURES, *OF_CROSSCODERS])
def test_crosscoder_that_was_never_fitted_stays_so(name, method):
    one, data = crosscoder(), {**FAILURES, **OF_CROSSCODERS}[name]
    if (name, method) == ("one sample", "partial_fit"):  # which may come one by one
        assert one.partial_fit(X[:1]).n_steps_ == 1
        return
    fails(data, getattr(one, method), one)
    assert vars(one) == vars(crosscoder())
    with pytest.raises(NotFittedError):
        one.transform(X)


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("name", sorted({*FAILURES, *OF_CROSSCODERS} - {"one sample"}))
def test_partial_fit_goes_on_from_what_it_was(name):
    failure = {**FAILURES, **OF_CROSSCODERS}[name]
    one, other = crosscoder().partial_fit(X), crosscoder().partial_fit(X)
    fitted = {n: v for n, v in frozen(one).items() if n != "_trainer"}
    fails(failure, one.partial_fit, one)
    assert {n: v for n, v in frozen(one).items() if n != "_trainer"} == fitted
    if "training" in name:  # the optimiser is a new one
        other = pickle.loads(pickle.dumps(other))
        del other._trainer
    one.partial_fit(X)
    other.partial_fit(X)
    np.testing.assert_array_equal(one.components_, other.components_)


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_scaler_stays_what_it_was(name, method):
    for one in (OrbitScaler(GROUP), OrbitScaler(GROUP).fit(X)):
        if name == "a group that is none" and method == "partial_fit" and hasattr(one, "group_"):
            continue  # the group is that of the first call
        before = frozen(one)
        fails(FAILURES[name], getattr(one, method), one)
        assert frozen(one) == before
    np.testing.assert_array_equal(one.transform(X), OrbitScaler(GROUP).fit(X).transform(X))


@pytest.mark.parametrize(
    "name", sorted({*FAILURES} - {"a disk that fails", "Ctrl-C while reading"})
)
def test_analyzer_stays_what_it_was(name):
    for one in (SymmetryAnalyzer(GROUP), SymmetryAnalyzer(GROUP).fit(X[:6])):
        before = frozen(one)
        fails(FAILURES[name], one.fit, one)
        assert frozen(one) == before


@pytest.mark.parametrize(
    "bad",
    [
        {"orbits": NAN, "image_ids": np.arange(40) // 5},
        {"orbits": X, "image_ids": np.arange(3)},
        {"orbits": X},
        {"orbits": X[:, :3], "image_ids": np.arange(40) // 5},
    ],
)
def test_analyzer_stays_what_it_was_when_orbits_are_bad(bad):
    one = SymmetryAnalyzer().fit(crosscoder().fit(X))
    before = frozen(one)
    with pytest.raises(ValueError, match=r"."):
        one.fit(crosscoder(n_features=9).fit(X), **bad)
    assert frozen(one) == before


def test_analyzer_stays_what_it_was_when_memory_ends(monkeypatch):
    one = SymmetryAnalyzer(GROUP).fit(X[:6])
    before = frozen(one)

    def no_memory(*_, **__):
        raise MemoryError

    monkeypatch.setattr("sklearn_groupcross.analysis._grouping.families_table", no_memory)
    with pytest.raises(MemoryError):
        one.fit(X[:9])
    assert frozen(one) == before


@pytest.mark.parametrize(
    "fit", [lambda one, data: crosscoder_path(one, data, [0.1, 0.01]), crosscoder_ensemble]
)
def test_several_fits_leave_their_estimator_alone(fit):
    one = crosscoder().fit(X)
    before = frozen(one)
    for data in (NAN, X[:, :3], Breaks(2, KeyboardInterrupt())):
        with pytest.raises((ValueError, KeyboardInterrupt)):
            fit(one, data)
        assert frozen(one) == before


def test_a_diverged_training_leaves_the_weights_before(monkeypatch):
    one = crosscoder().partial_fit(X)
    components = one.components_.copy()
    monkeypatch.setattr(_training, "is_finite", lambda tensor: False)
    for fit in (one.fit, one.partial_fit):
        with pytest.raises(ValueError, match="diverged"):
            fit(X)
        np.testing.assert_array_equal(one.components_, components)
    monkeypatch.undo()
    assert one.partial_fit(X).n_steps_ > 0


def test_a_warning_that_is_an_error_does_not_lose_the_result():
    one = crosscoder(l1=1e3, max_epochs=60, dead_features=None)
    with pytest.raises(ConvergenceWarning):
        one.fit(X)
    assert one.n_steps_ == 180
