from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from torch.utils.data import DataLoader

from sklearn_groupcross import Cyclic, GroupCrosscoder
from tests.notebook import read_small
from tests.orbits.stores import GROUP, N_CHANNELS

indices = st.one_of(
    st.integers(-54, 53),
    st.lists(st.integers(-54, 53)).map(lambda rows: np.array(rows, dtype=np.int64)),
    st.lists(st.integers(-54, 53)),
    st.slices(54),
    st.lists(st.booleans(), min_size=54, max_size=54).map(np.array),
    st.permutations(range(54)).map(np.array),
    st.tuples(st.integers(0, 53), st.integers(0, 53)).map(lambda ends: range(*sorted(ends))),
)


@given(indices)
def test_any_index_reads_what_numpy_would(store, array, index):
    # numpy takes an empty list, but not an empty list of floats
    wanted = array[np.array(index, dtype=int) if isinstance(index, range | list) else index]
    found = store[index]
    assert isinstance(found, np.ndarray)
    assert found.flags.writeable  # not the file's own memory
    np.testing.assert_array_equal(found, wanted)


@given(indices.filter(lambda index: not isinstance(index, int)), st.data())
def test_views_of_views_read_what_numpy_would(store, array, index, data):
    if isinstance(index, range | list):
        index = np.array(index, dtype=np.int64)
    view = store[index, ...]
    wanted = array[index]
    assert view.shape == wanted.shape
    np.testing.assert_array_equal(view, wanted)
    np.testing.assert_array_equal(view.image_ids, store.image_ids[index])
    np.testing.assert_array_equal(view.positions, store.positions[index])
    if len(wanted):
        rows = np.array(data.draw(st.lists(st.integers(0, len(wanted) - 1))), dtype=np.int64)
        np.testing.assert_array_equal(view[rows, ...], wanted[rows])
        np.testing.assert_array_equal(view[rows], wanted[rows])


def test_a_notebook_shows_what_it_is(store):
    words, _ = read_small(store._repr_html_())
    assert words.startswith("OrbitStore orbits 54 group")
    for fact in (f"channels {N_CHANNELS}", f"dtype {store.dtype}", "layers ", str(store.path)):
        assert fact in words
    words, _ = read_small(store[:7, ...].layer("high")._repr_html_())
    assert words.startswith("StoreView orbits 7 group")
    assert "channels 6" in words


def test_layers_are_channels(store, array):
    high = store.layer("high")
    assert high.shape == (54, 6, 6)
    np.testing.assert_array_equal(high, array[..., 4:])
    rows = np.array([50, 3, 3])
    np.testing.assert_array_equal(high[rows], array[rows, :, 4:])
    np.testing.assert_array_equal(high[rows, ...], array[rows, :, 4:])
    np.testing.assert_array_equal(high.read_blocks(slice(10, 20), 1), array[10:20, :1, 4:])
    np.testing.assert_array_equal(high.read_blocks(rows, 2, 3), array[rows, 3:5, 4:])
    np.testing.assert_array_equal(high.read_blocks(rows, 9, 5), array[rows, 5:, 4:])
    assert store[rows, ...].layer("low").shape == (3, 6, 4)
    with pytest.raises(ValueError, match="no layer 'top'. Layers: low, high"):
        store.layer("top")
    with pytest.raises(ValueError, match="one layer already"):
        high.layer("low")


@pytest.mark.parametrize(
    ("blocks", "error", "message"),
    [
        ((0,), ValueError, "n_blocks is at least 1"),
        ((1, -1), ValueError, "first is at least 0"),
        ((1, 6), ValueError, "has 6 elements; block 6 is of none"),
        ((1.0,), TypeError, "n_blocks is a whole number"),
    ],
)
def test_blocks_that_are_not_there_are_refused(store, blocks, error, message):
    with pytest.raises(error, match=message):
        store.read_blocks([0], *blocks)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (54, "Row 54 is out of range: there are 54"),
        (np.array([0, -55]), "Row -55 is out of range"),
        (np.ones(3, bool), "A mask of 3 for 54"),
        (np.zeros((2, 2), int), r"got int64 of shape \(2, 2\)"),
        (np.array([0.5]), "got float64"),
        ((slice(None), 0), "indexed by rows; see layer"),
    ],
)
def test_wrong_indices(store, index, message):
    with pytest.raises(IndexError, match=message):
        store[index]


def test_a_copy_cannot_be_avoided(store):
    with pytest.raises(ValueError, match="a copy cannot be avoided"):
        store.__array__(copy=False)


class TestTorch:
    @pytest.mark.parametrize("n_workers", [0, 2])
    def test_a_loader_reads_it(self, store, array, n_workers):
        loader = DataLoader(store, batch_size=20, shuffle=True, num_workers=n_workers)
        batches = list(loader)
        assert [len(batch) for batch in batches] == [20, 20, 14]
        assert batches[0].dtype == torch.float16
        rows = torch.cat(batches).numpy()
        order = np.lexsort(rows.reshape(54, -1).T)
        expected_order = np.lexsort(array.reshape(54, -1).T)
        np.testing.assert_array_equal(rows[order], array[expected_order])

    def test_samples_one_by_one(self, store, array):
        batch = next(iter(DataLoader(torch.utils.data.Subset(store, [53, 0]), batch_size=2)))
        np.testing.assert_array_equal(batch, array[[53, 0]])


class TestEstimators:
    settings = {"n_features": 12, "activation": "topk", "k": 3, "max_epochs": 3, "random_state": 0}

    def test_it_learns_what_it_would_from_the_array(self, store, array):
        from_store = GroupCrosscoder(GROUP, batch_size=16, **self.settings).fit(store)
        from_array = GroupCrosscoder(GROUP, batch_size=16, **self.settings).fit(array)
        np.testing.assert_array_equal(from_store.components_, from_array.components_)
        np.testing.assert_array_equal(from_store.transform(store), from_array.transform(array))
        assert from_store.score(store) == from_array.score(array)

    def test_another_group_is_refused(self, store):
        with pytest.raises(ValueError, match=r"orbits under Dihedral\(3\).*is Cyclic\(6\)"):
            GroupCrosscoder(Cyclic(6), n_features=4).fit(store)
        with pytest.raises(ValueError, match=r"orbits under Dihedral\(3\).*is Cyclic\(6\)"):
            GroupCrosscoder(Cyclic(6), n_features=4).fit(store[:20, ...])

    def test_transform_reads_the_identity_block_alone(self, store, monkeypatch):
        crosscoder = GroupCrosscoder(GROUP, **self.settings).fit(store)
        shapes = []
        read = type(store)._read

        def watched(self, *arguments):
            shapes.append(read(self, *arguments).shape)
            return read(self, *arguments)

        monkeypatch.setattr(type(store), "_read", watched)
        crosscoder.transform(store)
        assert shapes == [(54, 1, N_CHANNELS)]

    def test_cross_validation_by_image(self, store, array):
        crosscoder = GroupCrosscoder(GROUP, **self.settings)
        folds = {"groups": store.image_ids, "cv": GroupKFold(3), "error_score": "raise"}
        from_store, from_array = (cross_val_score(crosscoder, X, **folds) for X in (store, array))
        np.testing.assert_array_equal(from_store, from_array)

    def test_folds_are_not_read_into_memory(self, store, monkeypatch):
        kinds = set()
        fit = GroupCrosscoder.fit

        def watched(self, X, *arguments, **more):
            kinds.add(type(X).__name__)
            return fit(self, X, *arguments, **more)

        monkeypatch.setattr(GroupCrosscoder, "fit", watched)
        search = GridSearchCV(
            GroupCrosscoder(GROUP, **self.settings),
            {"k": [1, 4]},
            cv=GroupKFold(3),
            error_score="raise",
        ).fit(store, groups=store.image_ids)
        assert search.best_params_["k"] in (1, 4)
        assert kinds == {"StoreView", "OrbitStore"}
