"""What is computed on demand is computed when it is asked for by its name, and not by looking."""

import copy
import inspect
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import estimator_html_repr

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitScaler,
    SymmetryAnalyzer,
    make_orbits,
)
from sklearn_groupcross.analysis import _on_demand

GROUP = Dihedral(4)
PLANTED = make_orbits(60, group=GROUP, n_channels=8, random_state=0)
ATOMS = PLANTED.components
ON_DEMAND = {"similarity_", "embedding_", "equivariance_"}

LOOKS = {
    "repr": repr,
    "str": str,
    "HTML": lambda one: one._repr_html_(),
    "MIME bundle": lambda one: one._repr_mimebundle_(),
    "estimator_html_repr": estimator_html_repr,
    "dir": dir,
    "vars": vars,
    "getmembers": inspect.getmembers,
    "hasattr of what is listed": lambda one: [hasattr(one, name) for name in dir(one)],
    "getattr of what is listed": lambda one: [getattr(one, name, None) for name in dir(one)],
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
    "joblib.hash": joblib.hash,
    "clone": clone,
    "get_params": lambda one: one.get_params(),
}


@pytest.fixture
def no_computing(monkeypatch):
    def computed(*_, **__):
        raise AssertionError("it was computed")

    monkeypatch.setattr(_on_demand, "embed", computed)
    monkeypatch.setattr(_on_demand, "equivariance_index", computed)
    monkeypatch.setattr(SymmetryAnalyzer, "similarity_", property(computed))


@pytest.mark.parametrize("max_features_in_full", [16384, 1])
@pytest.mark.parametrize("look", LOOKS)
def test_looking_computes_nothing(no_computing, look, max_features_in_full):
    one = SymmetryAnalyzer(GROUP, max_features_in_full=max_features_in_full)
    LOOKS[look](one)
    LOOKS[look](one.fit(ATOMS))


def test_a_copy_computes_nothing_either(no_computing):
    for look in ("copy", "deepcopy", "pickle"):
        LOOKS["HTML"](LOOKS[look](SymmetryAnalyzer(GROUP).fit(ATOMS)))


def test_what_is_there_is_listed_and_shown():
    one = SymmetryAnalyzer(GROUP).fit(ATOMS)
    assert {"distances_", "alignment_", "labels_", "fit"} <= set(dir(one))
    assert not ON_DEMAND & set(dir(one))
    assert "equivariance_" not in one._repr_html_()
    deviation = one.equivariance_
    assert ON_DEMAND & set(dir(one)) == {"equivariance_"}
    assert one.equivariance_ is deviation
    assert "equivariance_" not in dir(one.fit(ATOMS))


def test_what_is_asked_for_is_computed():
    one = SymmetryAnalyzer(GROUP).fit(ATOMS)
    np.testing.assert_array_equal(one.similarity_, 1 - one.distances_)
    assert len(one.equivariance_.index) == len(ATOMS)
    for name in ON_DEMAND - {"embedding_"}:
        assert hasattr(one, name)


def test_properties_of_estimators_that_are_listed_cost_nothing():
    """A property that computes has to be named among those that `dir` leaves out."""
    crosscoder = GroupCrosscoder(GROUP, 6, max_epochs=1, random_state=0).fit(PLANTED.orbits)
    for one in (crosscoder, OrbitScaler(GROUP).fit(PLANTED.orbits), SymmetryAnalyzer(GROUP)):
        listed = {name for name in dir(one) if name.endswith("_") and not name.startswith("_")}
        of_class = {
            name for name in listed if isinstance(inspect.getattr_static(one, name), property)
        }
        assert of_class == set()
