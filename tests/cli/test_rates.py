"""Short runs on this machine, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import load_network
from sklearn_groupcross.cli._parser import make_parser
from sklearn_groupcross.cli._rates import measure_extraction, memory_in_use, sample_images, tiled
from tests.orbits.stores import create, fill


def test_a_tiled_store_repeats_what_was_read(tmp_path):
    sample = fill(create(tmp_path / "sample.orbits"))
    store = tiled(sample, tmp_path / "tiled.orbits", n_images=5, n_positions=16)
    assert (store.shape, store.dtype) == ((80, *sample.shape[1:]), sample.dtype)
    rows = np.arange(80) % len(sample)
    np.testing.assert_array_equal(np.asarray(store), np.asarray(sample)[rows])
    np.testing.assert_array_equal(store.positions, sample.positions[rows])
    assert np.bincount(store.image_ids).tolist() == [16] * 5


def test_images_to_measure_on(folder):
    network = load_network("bundled")
    assert len(sample_images([str(folder)], network)) == 6
    assert len(sample_images(None, network)) == 8


def test_images_are_read_into_one_chunk(folder, tmp_path):
    """As many are in a large store: chunks of their own take longer than such images."""
    options = make_parser().parse_args(["run", str(folder), "--positions", "4"])
    network = load_network("bundled")
    images = sample_images([str(folder)], network)
    _, dataset, store = measure_extraction(options, network, images, tmp_path)
    assert len(dataset) > 1
    assert len(list(store.path.glob("chunk-*.positions.npy"))) == 1


def test_memory_is_seen_to_grow():
    before = memory_in_use()
    if not before:
        pytest.fail("a system that says nothing of memory")
    array = np.ones(2**24)
    assert memory_in_use() - before > 0.9 * array.nbytes
