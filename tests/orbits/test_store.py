"""An orbit store as an array."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from torch.utils.data import DataLoader

from sklearn_groupcross import Cyclic, Dihedral, FiniteGroup, GroupCrosscoder, OrbitStore
from tests.orbits.stores import GROUP, N_CHANNELS, create, expected, fill, images, rows_of


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = create(
        tmp_path_factory.mktemp("stores") / "small.orbits",
        metadata={"network": "abc", "layers": {"low": (0, 4), "high": (4, 10)}},
    )
    return fill(store)


@pytest.fixture(scope="module")
def array(store):
    return expected(store)[0]


def test_round_trip(store, array):
    assert (store.shape, store.dtype, store.ndim) == (array.shape, np.float16, 3)
    assert len(store) == len(array) == 54
    assert len(store._files) > 3  # or crossing from chunk to chunk is not tested
    np.testing.assert_array_equal(np.asarray(store), array)
    np.testing.assert_array_equal(store.positions_, expected(store)[1])
    ids = np.repeat(np.arange(12), [image.n_rows for image in store.images])
    np.testing.assert_array_equal(store.image_ids_, ids)
    assert store.group == GROUP
    assert store.metadata["network"] == "abc"
    reopened = OrbitStore(str(store.path))
    np.testing.assert_array_equal(reopened, array)
    assert reopened.images == store.images == tuple(images(12))


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
    np.testing.assert_array_equal(view.image_ids_, store.image_ids_[index])
    np.testing.assert_array_equal(view.positions_, store.positions_[index])
    if len(wanted):
        rows = np.array(data.draw(st.lists(st.integers(0, len(wanted) - 1))), dtype=np.int64)
        np.testing.assert_array_equal(view[rows, ...], wanted[rows])
        np.testing.assert_array_equal(view[rows], wanted[rows])


def test_layers_are_channels(store, array):
    high = store.layer("high")
    assert high.shape == (54, 6, 6)
    np.testing.assert_array_equal(high, array[..., 4:])
    rows = np.array([50, 3, 3])
    np.testing.assert_array_equal(high[rows], array[rows, :, 4:])
    np.testing.assert_array_equal(high[rows, ...], array[rows, :, 4:])
    np.testing.assert_array_equal(high.read_blocks(slice(10, 20), 1), array[10:20, :1, 4:])
    assert store[rows, ...].layer("low").shape == (3, 6, 4)
    with pytest.raises(ValueError, match="no layer 'top'. Layers: low, high"):
        store.layer("top")
    with pytest.raises(ValueError, match="one layer already"):
        high.layer("low")


def test_pickled_without_its_maps(store, array):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)), array)
    view = store[10:40, ...]
    assert len(pickle.dumps(view)) < len(pickle.dumps(store)) + 1000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(view)), array[10:40])


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
        folds = {"groups": store.image_ids_, "cv": GroupKFold(3), "error_score": "raise"}
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
        ).fit(store, groups=store.image_ids_)
        assert search.best_params_["k"] in (1, 4)
        assert kinds == {"StoreView", "OrbitStore"}


class TestIncomplete:
    @pytest.fixture
    def path(self, tmp_path):
        return fill(create(tmp_path / "part.orbits"), at_most=5).path

    def test_it_is_not_read_by_mistake(self, path):
        store = OrbitStore(path)
        for read in (np.asarray, len, lambda s: s[0], GroupCrosscoder(GROUP).fit):
            with pytest.raises(ValueError, match="incomplete: 7 of 12 images are missing"):
                read(store)
        assert "shape (54, 6, 10), float16, 7 images pending, 21 rows there" in repr(store)

    def test_the_rows_that_are_there(self, path):
        store = OrbitStore(path, allow_incomplete=True)
        assert set(store.image_ids_) == {0, 1, 2, 3, 4}
        np.testing.assert_array_equal(store, expected(store)[0][: len(store)])

    def test_a_gap_in_the_middle(self, path):
        OrbitStore(path).discard([1, 3])
        store = OrbitStore(path, allow_incomplete=True)
        assert set(store.image_ids_) == {0, 2, 4}
        wanted = np.concatenate([rows_of(i, store.images[i].n_rows)[0] for i in (0, 2, 4)])
        np.testing.assert_array_equal(store, wanted)
        np.testing.assert_array_equal(store[::-2], wanted[::-2])

    def test_once_complete_it_is_readable(self, path):
        store = OrbitStore(path)
        assert len(fill(store)) == 54


def test_float32_keeps_every_bit(tmp_path):
    store = create(tmp_path / "wide", dtype="float32", n=1)
    orbits, positions = rows_of(0, 3, np.float32)
    orbits[0] *= 1e6
    with store.writer(0) as writer:
        writer.write(0, torch.from_numpy(orbits), positions)
    np.testing.assert_array_equal(store, orbits)
    assert store.dtype == np.float32


def test_chunks_hold_whole_images_of_about_their_size(tmp_path):
    store = create(tmp_path / "store", images=images(10, rows=4), chunk_bytes=900)
    assert store.pending() == list(range(10))  # an image is larger than half a chunk
    store = create(tmp_path / "larger", images=images(10, rows=4), chunk_bytes=13 * 120)
    assert [list(f.images) for f in store._files] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    store = create(tmp_path / "tiny", images=images(3), chunk_bytes=1)
    assert len(fill(store)) == 3 + 4 + 5


def test_summary_for_people(store):
    info = store.info()
    assert info["group"] == "Dihedral(3)"
    assert info["shape"] == (54, 6, 10)
    assert info["images"] == "12 of 12"
    assert info["bytes on disk"] > 54 * 6 * 10 * 2
    assert info["metadata: network"] == "abc"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": []}, "the list of images is empty"),
        ({"images": images(3, rows=-1)}, "has n_rows=-1"),
        ({"dtype": "float64"}, "float16 or float32; got float64"),
        ({"dtype": "three digits"}, "float16 or float32; got three digits"),
        ({"n_channels": 0}, "at least 1"),
        ({"metadata": {"seed": np.int64(1)}}, "what JSON can hold"),
        ({"metadata": {"x": float("nan")}}, "what JSON can hold"),
        ({"metadata": {1: 2}}, "keys .* are strings"),
        ({"metadata": {"layers": {"top": [3, 11]}}}, r"\['top'\] is \[3, 11\]; .* 10 channels"),
        ({"metadata": {"layers": {"top": "all"}}}, "is 'all'"),
        ({"metadata": {"layers": ["top"]}}, r"maps the name of a layer to \[first, stop\]"),
        ({"group": "dihedral:3"}, "got 'dihedral:3'"),
    ],
)
def test_wrong_configurations(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        create(tmp_path / "store", **options)
    assert not (tmp_path / "store").exists()


def test_a_group_of_a_family_of_ones_own_is_refused_and_what_to_do_is_said(tmp_path):
    class Klein(FiniteGroup):
        pass

    group = Klein([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
    with pytest.raises(ValueError, match=r"FiniteGroup\(group.cayley_table\) can be saved"):
        create(tmp_path / "store", group=group)
    assert not (tmp_path / "store").exists()
    store = create(tmp_path / "store", group=FiniteGroup(group.cayley_table))
    assert OrbitStore(store.path).group == FiniteGroup(group.cayley_table)


def test_groups_of_all_kinds_are_kept(tmp_path):
    for number, group in enumerate((Dihedral(3) * Cyclic(2), Dihedral(2))):
        store = create(tmp_path / str(number), group=group)
        assert OrbitStore(store.path).group == group
