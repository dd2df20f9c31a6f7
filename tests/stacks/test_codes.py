"""Codes are known for codes, and atoms, however sparse, for atoms."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.decomposition import NMF
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitScaler,
    SymmetryAnalyzer,
    make_orbits,
)
from sklearn_groupcross._stacks._codes import are_codes, look_like_codes, mark_as_codes
from sklearn_groupcross.analysis import match_dictionaries, stability

GROUP = Dihedral(3)
PLANTED = make_orbits(60, group=GROUP, n_channels=8, n_families=2, random_state=0)
X = PLANTED.orbits.reshape(60, -1)
SETTINGS = {"n_features": 12, "max_epochs": 2, "random_state": 0}
INSTEAD = r"X are codes.*SymmetryAnalyzer\(\)\.fit\(crosscoder\), or fit\(pipeline\[-1\]\)"


def crosscoder(**options):
    return GroupCrosscoder(GROUP, **SETTINGS, **options)


def analyzer(group=GROUP):
    return SymmetryAnalyzer(group=group, device="cpu")


PIPELINES = {
    "alone": lambda: make_pipeline(crosscoder(), analyzer()),
    "without a group": lambda: make_pipeline(crosscoder(), analyzer(None)),
    # 12 columns are no multiple of 10
    "that do not divide": lambda: make_pipeline(crosscoder(), analyzer(Dihedral(5))),
    "behind a scaler": lambda: make_pipeline(OrbitScaler(GROUP), crosscoder(), analyzer()),
    "sparse": lambda: make_pipeline(crosscoder(sparse_output=True), analyzer()),
    "pandas": lambda: make_pipeline(crosscoder().set_output(transform="pandas"), analyzer()),
    "polars": lambda: make_pipeline(crosscoder().set_output(transform="polars"), analyzer()),
    "in a pipeline": lambda: make_pipeline(make_pipeline(crosscoder()), analyzer()),
    "some samples": lambda: make_pipeline(
        crosscoder(), FunctionTransformer(lambda codes: codes[::2]), analyzer()
    ),
    "one of a union": lambda: make_pipeline(
        FeatureUnion([("one", crosscoder())]).set_output(transform="pandas"), analyzer()
    ),
}


@pytest.mark.parametrize("kind", PIPELINES)
def test_a_pipeline_of_codes_says_what_to_do_instead(kind):
    with pytest.raises(ValueError, match=INSTEAD):
        PIPELINES[kind]().fit(X)


def test_what_it_says_works():
    pipeline = make_pipeline(OrbitScaler(GROUP), crosscoder()).fit(X)
    assert len(SymmetryAnalyzer().fit(pipeline[-1]).labels_) == 12


@pytest.mark.parametrize("call", ["transform", "encode", "fit_transform"])
def test_codes_of_any_method(call):
    fitted = crosscoder().fit(PLANTED.orbits)
    codes = getattr(fitted, call)(X[:, :8] if call == "encode" else X)
    with pytest.raises(ValueError, match=INSTEAD):
        analyzer().fit(codes)
    with pytest.raises(ValueError, match="second are codes"):
        match_dictionaries(fitted, codes)
    with pytest.raises(ValueError, match="b are codes"):
        stability({"a": fitted, "b": codes})


def test_codes_are_ordinary_arrays():
    codes = crosscoder().fit(PLANTED.orbits).transform(X)
    assert type(codes) is np.ndarray
    assert codes.flags.c_contiguous
    assert codes.flags.writeable
    codes[0] = 1
    assert (codes[0] == 1).all()


@given(st.tuples(st.integers(0, 4), st.integers(0, 4)), st.sampled_from([np.float32, np.float64]))
def test_marking_copies_nothing(shape, dtype):
    codes = np.zeros(shape, dtype)
    marked = mark_as_codes(codes)
    assert marked.shape == shape
    assert marked.dtype == dtype
    assert are_codes(marked)
    assert are_codes(marked[1:])
    assert are_codes(marked.T)
    assert not are_codes(codes)
    assert not are_codes(marked.copy())
    assert not codes.size or np.shares_memory(codes, marked)


def nmf_atoms():
    model = NMF(6, init="nndsvd", max_iter=500, random_state=0, tol=1e-3)
    return model.fit(np.maximum(X, 0)).components_


def fitted_atoms(**options):
    return crosscoder(**options).fit(PLANTED.orbits).components_


ATOMS = {
    "planted": lambda: PLANTED.components,
    "planted, of a network": lambda: (
        make_orbits(9, group=GROUP, observation="network", random_state=0).components
    ),
    "one-hot": lambda: np.eye(48),
    "non-negative, factors of data": nmf_atoms,
    "fitted": fitted_atoms,
    "fitted, few active": lambda: fitted_atoms(activation="topk", k=1),
    "in a frame": lambda: pd.DataFrame(PLANTED.components.reshape(-1, 48)),
    "in a frame of polars": lambda: pl.DataFrame(PLANTED.components.reshape(-1, 48)),
    "dead": lambda: np.zeros((3, 48)),
}


@pytest.mark.parametrize("kind", ATOMS)
def test_atoms_are_never_taken_for_codes(kind):
    atoms = ATOMS[kind]()
    assert not are_codes(atoms)
    assert len(analyzer().fit(atoms).labels_) == len(atoms)


def test_other_sparse_arrays_are_no_codes():
    assert not are_codes(sparse.csr_array(np.eye(48)))
    assert not are_codes(sparse.dok_array((3, 48)))
    assert not are_codes(pd.DataFrame(index=range(3)))


@pytest.mark.parametrize(
    "change", [np.copy, np.float64, lambda codes: MaxAbsScaler().fit_transform(codes)]
)
def test_what_looks_like_codes_warns(change):
    codes = change(GroupCrosscoder(GROUP, activation="topk", k=2, **SETTINGS).fit_transform(X))
    with pytest.warns(UserWarning, match="X has 60 rows of 12 columns.*it looks like codes"):
        analyzer().fit(codes)


@given(st.integers(0, 2**31 - 1))
def test_sparse_atoms_do_not_look_like_codes(seed):
    rng = np.random.default_rng(seed)
    atoms = rng.random((12, 18)) * (rng.random((12, 18)) < 0.2)
    assert not look_like_codes(atoms)
    assert not look_like_codes(rng.normal(size=(40, 18)) * (rng.random((40, 18)) < 0.2))
    assert look_like_codes(rng.random((40, 18)) * (rng.random((40, 18)) < 0.2))
