from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import NMF
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.analysis._atoms import resolve_atoms

GROUP = Dihedral(3)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(40, group=GROUP, n_channels=4, n_families=2, random_state=0).orbits


@pytest.fixture(scope="module")
def crosscoder(orbits):
    return GroupCrosscoder(GROUP, 5, max_epochs=1, random_state=0).fit(orbits)


def test_a_crosscoder_brings_atoms_and_group(crosscoder):
    for group in (None, GROUP, "dihedral:3"):
        atoms, found = resolve_atoms(crosscoder, group, "first")
        assert found == GROUP
        np.testing.assert_array_equal(atoms, crosscoder.components_.reshape(5, -1))


@pytest.mark.parametrize("given", [np.float16, np.int64, np.float32, np.float64, torch.float32])
def test_atoms_are_flat_and_floats(given):
    atoms = np.arange(48).reshape(2, 6, 4)
    stack = torch.from_numpy(atoms).to(given) if given is torch.float32 else atoms.astype(given)
    found, group = resolve_atoms(stack, "dihedral:3", "first")
    assert group == GROUP
    assert found.dtype in (np.float32, np.float64)
    np.testing.assert_array_equal(found, atoms.reshape(2, 24))


def test_what_is_no_dictionary_is_refused_by_its_name(crosscoder, orbits):
    atoms = crosscoder.components_
    for dictionary, group, error, message in (
        (atoms, None, ValueError, "first are atoms, which alone do not name their group"),
        (atoms[:, :-1], GROUP, ValueError, "must be a multiple of 6"),
        (crosscoder, Cyclic(6), ValueError, r"first has atoms over Dihedral\(3\).*lift_dictionary"),
        (crosscoder.transform(orbits), GROUP, ValueError, "first are codes"),
        (np.full((2, 24), np.nan), GROUP, ValueError, "first contains NaN"),
        (make_pipeline(crosscoder), GROUP, TypeError, r"first is a Pipeline.*pass pipeline\[-1\]"),
        (GroupCrosscoder(GROUP), GROUP, NotFittedError, "not fitted yet"),
    ):
        with pytest.raises(error, match=message):
            resolve_atoms(dictionary, group, "first")


@pytest.mark.parametrize("group", [None, GROUP], ids=repr)
@pytest.mark.parametrize(
    ("dictionary", "message"),
    [
        (GridSearchCV(GroupCrosscoder(GROUP), {"l1": [0.1]}), "is a GridSearchCV.*best_estimator_"),
        (NMF(2), "is of type NMF; .* its components_ .*group="),
        ("model.safetensors", r"is a path, of type str; .*GroupCrosscoder\.load\(path\)"),
        (Path("model.safetensors"), r"is a path, .*GroupCrosscoder\.load\(path\)"),
        (None, "is of type NoneType; pass a fitted GroupCrosscoder, or atoms as an array"),
        ({"atoms": np.zeros((2, 24))}, "is of type dict; pass a fitted GroupCrosscoder"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_no_numbers_is_told_where_the_atoms_are(dictionary, group, message):
    with pytest.raises(TypeError, match=f"^first {message}"):
        resolve_atoms(dictionary, group, "first")


def test_what_a_message_says_to_pass_is_taken(orbits, tmp_path):
    flat = orbits.reshape(len(orbits), -1)
    search = GridSearchCV(
        GroupCrosscoder(GROUP, 5, max_epochs=1, random_state=0), {"l1": [0.1]}, cv=2
    ).fit(orbits)
    other = NMF(5, init="random", max_iter=5, tol=1.0, random_state=0).fit(np.abs(flat))
    path = tmp_path / "model.safetensors"
    search.best_estimator_.save(path)
    for wrong, right, group in (
        (search, search.best_estimator_, None),
        (other, other.components_, GROUP),
        (path, GroupCrosscoder.load(path), None),
    ):
        with pytest.raises(TypeError, match=r"^X is "):
            SymmetryAnalyzer(group).fit(wrong)
        assert SymmetryAnalyzer(group).fit(right).n_features_in_ == 24


@pytest.mark.parametrize("group", [None, GROUP])
@pytest.mark.parametrize("gather", [list, tuple, lambda models: dict(enumerate(models))])
def test_several_dictionaries_are_told_who_takes_them(crosscoder, group, gather):
    for models in ([crosscoder], [crosscoder, GroupCrosscoder()]):
        message = rf"X is a \w+ of {len(models)} models; .* others=\[second"
        with pytest.raises(TypeError, match=message):
            SymmetryAnalyzer(group).fit(gather(models))


class Store:
    """Orbits on the disk, with the shape of atoms."""

    shape, dtype, group, image_ids = (40, 6, 4), np.float32, GROUP, np.arange(40)


class Dataset:
    """Orbits that are still to be read."""

    def as_array(self):
        raise AssertionError


@pytest.mark.parametrize("held", [Store(), Dataset()], ids=["store", "dataset"])
def test_orbits_are_no_atoms_and_no_labels(crosscoder, held):
    for analyze in (SymmetryAnalyzer(GROUP).fit, SymmetryAnalyzer(GROUP).fit_predict):
        with pytest.raises(TypeError, match="X is of type .*, which holds orbits of inputs"):
            analyze(held)
        with pytest.raises(ValueError, match="fit is y, which is not looked at; got a .*orbits="):
            analyze(crosscoder, held)


def test_y_that_looks_like_orbits_is_refused(crosscoder, orbits):
    flat = orbits.reshape(len(orbits), -1)
    for given in (orbits, flat, flat.tolist(), torch.from_numpy(orbits)):
        with pytest.raises(ValueError, match=r"of shape \(40, .*orbits="):
            SymmetryAnalyzer().fit(crosscoder, given)
    for labels in (None, np.arange(5), list("abcde"), np.arange(5)[:, None]):
        analysis = SymmetryAnalyzer().fit(crosscoder, labels)
        found = SymmetryAnalyzer().fit_predict(crosscoder, labels)
        np.testing.assert_array_equal(found, analysis.labels_)
