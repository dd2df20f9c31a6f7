"""Arrays of any layout, container and byte order give what a plain copy of them gives."""

import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sklearn_groupcross import Cyclic, GroupCrosscoder, OrbitScaler, SymmetryAnalyzer
from sklearn_groupcross.analysis import code_profiles, match_dictionaries
from sklearn_groupcross.model_selection import collect_statistics

from .kinds import NAMES, k_for

GROUP, N, WIDTH = Cyclic(2), 12, 8


X = np.random.default_rng(0).normal(size=(N, WIDTH)).astype(np.float32)


def crosscoder(**options):
    defaults = {"n_features": 6, "max_epochs": 1, "batch_size": 8, "random_state": 0}
    return GroupCrosscoder(GROUP, **{**defaults, **options})


def first(rows, n_columns):
    is_list = isinstance(rows, list)
    return [row[:n_columns] for row in rows] if is_list else rows[:, :n_columns]


FITTED = crosscoder().fit(X)


SCALER = OrbitScaler(GROUP).fit(X)


# Each takes rows (n, 8), and gives arrays.
ENTRIES = {
    "fit": lambda rows: [crosscoder().fit(rows).components_],
    "partial_fit": lambda rows: [crosscoder().partial_fit(rows).components_],
    "dict_init": lambda rows: [crosscoder(n_features=None, dict_init=rows).fit(X).encoder_],
    "transform": lambda rows: [FITTED.transform(rows)],
    "score": lambda rows: [FITTED.score(rows)],
    "encode": lambda rows: [FITTED.encode(first(rows, 4))],
    "inverse_transform": lambda rows: [FITTED.inverse_transform(first(rows, 6))],
    "scaler fit": lambda rows: [OrbitScaler(GROUP).fit(rows).var_],
    "scaler transform": lambda rows: [SCALER.transform(rows)],
    "scaler inverse_transform": lambda rows: [SCALER.inverse_transform(rows)],
    "atoms": lambda rows: [SymmetryAnalyzer(GROUP).fit(rows).distances_],
    "match": lambda rows: [match_dictionaries(rows, X, group=GROUP).similarity],
    "statistics": lambda rows: [collect_statistics(FITTED, rows).squared_error],
    "profiles": lambda rows: [code_profiles(FITTED, rows).profiles],
}  # fmt: skip


NEED_SEVERAL = {"fit", "partial_fit", "score", "profiles", "statistics"}


LAYOUTS = {
    "rows back": lambda a: a[::-1],
    "columns back": lambda a: a[:, ::-1],
    "both back": lambda a: a[::-1, ::-1],
    "Fortran": np.asfortranarray,
    "every other row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "every other column": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "one row back": lambda a: a[::-1][:1],
    "one row of a record": lambda a: _field(a)[:1],
    "field of a record": lambda a: _field(a),
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "read-only": lambda a: _read_only(a),
    "unaligned": lambda a: _unaligned(a),
}


TYPES = ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"]


CONTAINERS = {
    "array": lambda a: a,
    "tensor": lambda a: torch.tensor(a.astype(a.dtype.newbyteorder("="))),
    "tensor with history": lambda a: _with_history(a),
    "tensor with a negative bit": lambda a: _negative(a),
    "masked, nothing of it": lambda a: np.ma.masked_array(a, mask=False),
    "list": lambda a: a.tolist(),
    "list of arrays": list,
    "list of tensors": lambda a: list(_with_history(a)),
}


def _field(a):
    record = np.zeros(a.shape, dtype=[("padding", "u1"), ("value", a.dtype)])
    record["value"] = a
    return record["value"]


def _read_only(a):
    a = a.copy()
    a.setflags(write=False)
    return a


def _unaligned(a):
    memory = np.zeros(a.nbytes + 1, dtype=np.uint8)[1:]
    moved = memory.view(a.dtype).reshape(a.shape)
    moved[:] = a
    return moved


def _with_history(a):
    leaf = torch.tensor(a.astype(a.dtype.newbyteorder("="))).requires_grad_()
    return leaf * 1.0


def _negative(a):
    tensor = torch.tensor(a.astype(a.dtype.newbyteorder("=")))
    if tensor.dtype == torch.float16:
        return tensor
    return torch.complex(torch.zeros_like(tensor), -tensor).conj().imag


def results(act, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "The run was short")
        return act(rows)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(ENTRIES)),
    st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from(TYPES),
    st.sampled_from(sorted(CONTAINERS)),
)
def test_odd_arrays_give_what_plain_ones_give(name, layout, dtype, container):
    view = LAYOUTS[layout](X.astype(dtype))
    if len(view) == 1 and name in NEED_SEVERAL:
        return
    if layout == "broadcast" and name in NEED_SEVERAL:
        return  # equal rows, of which fit warns
    odd = CONTAINERS[container](view)
    got = results(ENTRIES[name], odd)
    plain = np.array(view, dtype=view.dtype.newbyteorder("="), order="C")
    want = ENTRIES[name](plain)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
        if not container.startswith("list"):
            np.testing.assert_array_equal(one, other)
            assert np.asarray(one).dtype == np.asarray(other).dtype


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("layout", ["rows back", "blocks back", "channels back", "one orbit back"])
def test_views_of_stacks(layout, dtype):
    stacks = X.astype(dtype).reshape(N, 2, 4)
    view = {
        "rows back": stacks[::-1],
        "blocks back": stacks[:, ::-1],
        "channels back": stacks[..., ::-1],
        "one orbit back": stacks[::-1][:1],
    }[layout]
    plain = np.array(view, dtype=view.dtype.newbyteorder("="), order="C")
    np.testing.assert_array_equal(FITTED.transform(view), FITTED.transform(plain))
    np.testing.assert_array_equal(SCALER.transform(view), SCALER.transform(plain))


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("where", ["one value", "all", "in a list", "the constant"])
def test_masked_values_are_refused(name, where):
    masked = np.ma.masked_array(X.copy(), mask=False)
    if where == "one value":
        masked[3, 1] = np.ma.masked
    elif where == "all":
        masked.mask = True
    else:
        masked[3, 1] = np.ma.masked
        masked = list(masked)
        if where == "the constant":
            masked = X.tolist()
            masked[3][1] = np.ma.masked
    with pytest.raises(ValueError, match="mask"):
        ENTRIES[name](masked)


def test_masked_labels_are_refused():
    groups = np.ma.masked_array(np.arange(N) // 3, mask=np.arange(N) == 2)
    with pytest.raises(ValueError, match="groups is a masked array"):
        crosscoder().fit(X, groups=groups)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
def test_data_frames(make, dtype):
    names = [f"column{i}" for i in range(WIDTH)]
    frame = make(dict(zip(names, X.astype(dtype).T, strict=True)))
    one, scaler = crosscoder().fit(frame), OrbitScaler(GROUP).fit(frame)
    assert one.feature_names_in_.tolist() == names
    np.testing.assert_array_equal(one.components_, crosscoder().fit(X.astype(dtype)).components_)
    # scikit-learn makes float64 of what polars holds
    np.testing.assert_allclose(one.transform(frame), FITTED.transform(X.astype(dtype)), atol=1e-6)
    np.testing.assert_allclose(scaler.transform(frame), SCALER.transform(X.astype(dtype)), 1e-5)


@pytest.mark.parametrize("name", sorted({*ENTRIES} - {"inverse_transform"}))
@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix], ids=["array", "matrix"])
def test_sparse_matrices_are_refused(name, make):
    with pytest.raises((TypeError, ValueError), match=r"[Ss]parse|dense"):
        ENTRIES[name](make(X))


@pytest.mark.parametrize("name", ENTRIES)
def test_tensors_without_dense_values_are_refused(name):
    if name in ("encode", "inverse_transform"):
        odd = torch.tensor(X)[:, : 4 if name == "encode" else 6]
        act = FITTED.encode if name == "encode" else FITTED.inverse_transform
    else:
        odd, act = torch.tensor(X), ENTRIES[name]
    with pytest.raises(TypeError, match="sparse tensor"):
        act(odd.to_sparse())
    with pytest.raises(ValueError, match="meta device"):
        act(odd.to("meta"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.int32, torch.bool])
def test_tensors_of_other_types(dtype):
    tensor = (4 * torch.tensor(X)).to(dtype)
    wide = tensor.float().numpy()
    if dtype != torch.bfloat16:
        wide = wide.astype(np.float64)
    for name in ("transform", "score", "scaler transform", "atoms", "dict_init"):
        if dtype == torch.bool and name == "dict_init":
            continue  # atoms that are zero
        np.testing.assert_allclose(ENTRIES[name](tensor)[0], ENTRIES[name](wide)[0], rtol=1e-5)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", ENTRIES)
def test_memory_maps(tmp_path, name, dtype):
    array = X.astype(dtype)
    np.save(tmp_path / "rows.npy", array)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    plain = array.astype(array.dtype.newbyteorder("="))
    for one, other in zip(results(ENTRIES[name], mapped), ENTRIES[name](plain), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("activation", NAMES)
def test_models_that_lie_in_memory_maps(tmp_path, activation):
    options = {"k": k_for(activation, 2)}
    one = crosscoder(activation=activation, warm_start=True, **options).fit(X)
    analysis = SymmetryAnalyzer().fit(one)
    joblib.dump((one, analysis, SCALER), tmp_path / "models.joblib")
    mapped, its_analysis, scaler = joblib.load(tmp_path / "models.joblib", mmap_mode="r")
    assert not mapped.components_.flags.writeable
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(mapped.transform(X), one.transform(X))
        np.testing.assert_array_equal(mapped.encode(X[:, :4]), one.encode(X[:, :4]))
        codes = one.transform(X)
        np.testing.assert_array_equal(mapped.inverse_transform(codes), one.inverse_transform(codes))
        assert mapped.score(X) == one.score(X)
        again = SymmetryAnalyzer().fit(mapped)
        np.testing.assert_array_equal(again.distances_, analysis.distances_)
        assert (its_analysis.kneighbors_graph(2) != analysis.kneighbors_graph(2)).nnz == 0
        np.testing.assert_array_equal(scaler.transform(X), SCALER.transform(X))
        mapped.save(tmp_path / "model.safetensors")
        mapped.partial_fit(X)
        joblib.load(tmp_path / "models.joblib", mmap_mode="r")[0].fit(X)


@pytest.mark.parametrize("columns", [1, 2])
def test_one_row_or_column_with_negative_steps(columns):
    one = GroupCrosscoder(n_features=2, max_epochs=1, random_state=0).fit(X[:, :columns])
    for view in (X[:, ::-1][:, -columns:], X[::-1, :columns], X[::-1][:1, :columns]):
        np.testing.assert_array_equal(one.transform(view), one.transform(view.copy()))
