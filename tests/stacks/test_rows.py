from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_groupcross import Cyclic
from sklearn_groupcross._stacks import _rows
from sklearn_groupcross._stacks._rows import Rows, check_finite, is_row_readable
from sklearn_groupcross.crosscoder._batches import Batch
from sklearn_groupcross.crosscoder._feed import Feed
from sklearn_groupcross.crosscoder._parameters import Units
from sklearn_groupcross.crosscoder._summary import summarize


class Store:
    """The least that a store has to have; it counts what is read of it."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.largest_read = 0

    def __getitem__(self, rows):
        part = self._array[rows]
        self.largest_read = max(self.largest_read, len(part))
        return part


@pytest.fixture
def array():
    return np.random.default_rng(0).standard_normal((30, 4, 5)).astype(np.float16)


def containers(array, tmp_path):
    np.save(tmp_path / "orbits.npy", array)
    read_only = array.copy()
    read_only.flags.writeable = False
    return {
        "array": array,
        "read-only": read_only,
        "flat": array.reshape(30, 20),
        "map": np.load(tmp_path / "orbits.npy", mmap_mode="r"),
        "tensor": torch.from_numpy(array),
        "tensor that requires gradients": torch.from_numpy(array).requires_grad_(True),
        "store": Store(array),
    }


def test_every_container_gives_the_same_rows(array, tmp_path):
    expected = array.reshape(30, 20).astype(np.float32)
    for name, X in containers(array, tmp_path).items():
        assert is_row_readable(X), name
        rows = Rows(X)
        assert rows.shape == (30, 20)
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows.read(slice(3, 9)), expected[3:9], err_msg=name)
        some = np.array([1, 4, 28])
        np.testing.assert_array_equal(rows.read(some), expected[some], err_msg=name)
        np.testing.assert_array_equal(rows.read(some, columns=slice(5)), expected[some, :5])
        assert rows.read(some, dtype=torch.float64).dtype == torch.float64


class StoreOfBlocks(Store):
    """A store that can read some blocks alone."""

    def read_blocks(self, rows, n_blocks, first):
        self.largest_read = max(self.largest_read, n_blocks)
        return self._array[rows, first : first + n_blocks]


@pytest.mark.parametrize(
    ("columns", "n_blocks"), [(slice(5), 1), (slice(10, 15), 1), (slice(7, 12), 2), (slice(3), 1)]
)
def test_of_a_store_of_blocks_no_others_are_read(array, columns, n_blocks):
    """Training on translated orbits reads the block that becomes the identity's."""
    store, rows = StoreOfBlocks(array), np.array([2, 3, 17])
    block = Rows(store).read(rows, columns=columns)
    np.testing.assert_array_equal(block, array.reshape(30, 20)[rows, columns])
    assert store.largest_read == n_blocks


@pytest.mark.parametrize("rows", [slice(0, 3), np.array([0, 2])], ids=["slice", "index"])
@pytest.mark.parametrize("columns", [slice(None), slice(5), slice(5, 10)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, torch.from_numpy, Store])
def test_reading_gives_a_copy_that_lies_row_by_row(array, make, dtype, columns, rows):
    """Training centres what it reads in place, whoever owns the memory that a store gave."""
    X = np.abs(array.astype(dtype)) + 1
    block = Rows(make(X)).read(rows, columns=columns, dtype=getattr(torch, dtype))
    assert block.is_contiguous()
    np.testing.assert_array_equal(block, X.reshape(30, 20)[rows, columns])
    block.zero_()
    assert X.min() > 0


@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, torch.from_numpy, Store])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_memory_that_is_there_is_used(array, make, dtype):
    X, rows = array.astype(dtype), np.array([3, 7, 29])
    memory = torch.zeros(3, 20)
    block = Rows(make(X)).read(rows, memory=memory)
    np.testing.assert_array_equal(block, X.reshape(30, 20)[rows])
    assert block.data_ptr() == memory.data_ptr()
    some = Rows(make(X)).read(rows, columns=slice(5), memory=memory)
    np.testing.assert_array_equal(some, X.reshape(30, 20)[rows, :5])


@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, torch.from_numpy, Store])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("to_change", [True, False])
def test_parts_are_read_one_ahead_in_memory_of_their_own(array, make, dtype, to_change):
    X = array.astype(dtype)
    parts = [slice(0, 7), np.array([3, 9]), slice(20, 30), slice(7, 8), np.arange(30)]
    read = Rows(make(X)).read_parts(parts, to_change=to_change)
    for part, block in zip(parts, read, strict=True):
        time.sleep(0.01)  # the next is read meanwhile
        assert block.dtype == torch.float32
        np.testing.assert_array_equal(block, X.reshape(30, 20)[part].astype(np.float32))
        if to_change:
            block.zero_()
    np.testing.assert_array_equal(X, array.astype(dtype))
    assert list(Rows(make(X)).read_parts([])) == []


def test_a_feed_does_not_overwrite_what_is_worked_on():
    group, rng = Cyclic(3), np.random.default_rng(0)
    X = rng.standard_normal((40, 3, 4), dtype=np.float32)
    units = Units(torch.zeros(3, 4), 2.0)
    feed = Feed(Rows(X), units, group, torch.device("cpu"), reads_orbit=False)
    # shorter and longer ones, which need other memory
    batches = [
        Batch(np.sort(rng.permutation(40)[:n]), translation=0) for n in (9, 9, 4, 12, 3, 12, 12)
    ]
    for _ in range(2):
        for batch, samples in zip(batches, feed.samples(batches), strict=True):
            time.sleep(0.01)  # the next is read meanwhile
            expected = 2 * X[batch.rows].reshape(len(batch.rows), -1)
            np.testing.assert_array_equal(samples.targets, expected)
            np.testing.assert_array_equal(samples.inputs, expected[:, :4])


@pytest.mark.parametrize("writeable", [True, False])
def test_what_is_only_looked_at_need_not_be_copied(array, writeable):
    X = array.astype(np.float32)
    X.flags.writeable = writeable
    block = Rows(X).read(slice(2, 4), to_change=False)
    assert np.shares_memory(block.numpy(), X) == writeable  # torch warns of read-only memory
    np.testing.assert_array_equal(block, X[2:4].reshape(2, 20))


def test_stores_that_know_how_to_become_an_array_are_not_asked_to(array):
    class Greedy(Store):
        def __array__(self, *arguments, **options):
            raise AssertionError("the whole store is read")

        def __len__(self):
            return len(self._array)

    store = Greedy(array.astype(np.float32))
    Rows(store).read(np.array([1, 2]))
    assert store.largest_read == 2


def test_bfloat16_tensors_are_read_and_float64_stays(array):
    tensor = torch.from_numpy(array).bfloat16()
    assert is_row_readable(tensor)
    np.testing.assert_allclose(
        Rows(tensor).read(slice(0, 30)), array.reshape(30, 20), rtol=1e-2, atol=1e-2
    )
    assert Rows(array.astype(np.float64)).dtype == np.float64


@pytest.mark.parametrize(
    "X",
    [[[1.0]], pd.DataFrame({"a": [1.0]}), np.zeros((2, 2), int), np.zeros(3), np.zeros((0, 3))],
    ids=["list", "frame", "integers", "1-D", "empty"],
)
def test_what_scikit_learn_has_to_look_at(X):
    assert not is_row_readable(X)


def test_a_float16_map_is_never_widened_whole(array, monkeypatch):
    store = Store(array)
    monkeypatch.setattr(_rows, "_BYTES_A_PASS", 8 * 20 * 7)
    summarize(Rows(store))
    assert store.largest_read == 7


def test_the_digest_tells_data_apart(array):
    X = array.reshape(30, 20)

    def digest(X):
        return summarize(Rows(X), with_digest=True).digest

    assert digest(X) == digest(X.copy())
    assert digest(X) != digest(X[::-1].copy())
    changed = X.copy()
    changed[17, 3] += 1
    assert digest(X) != digest(changed)
    assert summarize(Rows(X)).digest == ""


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_bad_values_are_named_by_row(value, word):
    block = torch.zeros(10, 3)
    check_finite(block, range(10))
    block[[2, 7], 1] = value
    with pytest.raises(ValueError, match=rf"Input X contains {word}: in rows 102, 107\."):
        check_finite(block, range(100, 110))


def test_large_finite_values_are_not_refused():
    check_finite(torch.full((10, 3), 3e38), range(10))
