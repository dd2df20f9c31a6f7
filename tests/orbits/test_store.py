"""An orbit store as an array."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from sklearn_groupcross import GroupCrosscoder, OrbitStore
from tests.orbits.stores import GROUP, create, expected, fill, images, rows_of


def test_round_trip(store, array):
    assert (store.shape, store.dtype, store.ndim) == (array.shape, np.float16, 3)
    assert len(store) == len(array) == 54
    assert len(store._files) > 3  # or crossing from chunk to chunk is not tested
    np.testing.assert_array_equal(np.asarray(store), array)
    np.testing.assert_array_equal(store.positions, expected(store)[1])
    ids = np.repeat(np.arange(12), [image.n_rows for image in store.images])
    np.testing.assert_array_equal(store.image_ids, ids)
    assert store.group == GROUP
    assert store.metadata["network"] == "abc"
    reopened = OrbitStore(str(store.path))
    np.testing.assert_array_equal(reopened, array)
    assert reopened.images == store.images == tuple(images(12))


def test_pickled_without_its_maps(store, array):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)), array)
    view = store[10:40, ...]
    assert len(pickle.dumps(view)) < len(pickle.dumps(store)) + 1000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(view)), array[10:40])


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
        assert set(store.image_ids) == {0, 1, 2, 3, 4}
        np.testing.assert_array_equal(store, expected(store)[0][: len(store)])

    def test_a_gap_in_the_middle(self, path):
        OrbitStore(path).discard([1, 3])
        store = OrbitStore(path, allow_incomplete=True)
        assert set(store.image_ids) == {0, 2, 4}
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


def test_summary_for_people(store):
    info = store.info()
    assert info["group"] == "Dihedral(3)"
    assert info["shape"] == (54, 6, 10)
    assert info["images"] == "12 of 12"
    assert info["bytes on disk"] > 54 * 6 * 10 * 2
    assert info["metadata: network"] == "abc"
