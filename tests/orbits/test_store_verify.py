from __future__ import annotations

import os

import numpy as np
import pytest

from sklearn_groupcross import OrbitStore
from tests.orbits.stores import contents, create, fill


def test_a_flipped_byte_is_found_named_and_mended(tmp_path):
    store = fill(create(tmp_path / "store"))
    whole = contents(store.path)
    for name in ("chunk-00001.npy", "chunk-00001.positions.npy"):
        flip(store.path / name, -1)
        report = store.verify()
        assert not report.ok
        last = store.writer(1).pending_images[-1]
        assert report.damaged_images == (last,)
        assert "chunk-00001.npy" in report.problems[0]
        assert f"image {last} ('photo {last}.jpg')" in report.problems[0]
        store.discard(report.damaged_images)
        assert store.pending_images() == [last]
        assert fill(store).verify().ok
        assert contents(store.path) == whole


def test_every_single_byte_counts(tmp_path):
    """Whatever byte of whatever file changes, verify or opening says so."""
    store = fill(create(tmp_path / "store", n=2))
    rng = np.random.default_rng(0)
    for name, data in contents(store.path).items():
        for at in rng.choice(len(data), 40):
            flip(store.path / name, int(at))
            try:
                report = OrbitStore(store.path).verify()
                seen = not report.ok or report.n_pending
            except (ValueError, OSError):
                seen = True
            # padding of the arrays' headers and JSON's spelling of keys have no meaning
            assert seen or (name.endswith(".npy") and at < 128), (name, at)
            (store.path / name).write_bytes(data)


def test_truncated_and_missing_shards_are_named(tmp_path):
    store = fill(create(tmp_path / "store"))
    shard = store.path / "chunk-00001.npy"
    os.truncate(shard, shard.stat().st_size - 1)
    (problem,) = store.verify().problems
    assert "chunk-00001.npy is damaged: it has" in problem
    with pytest.raises(ValueError, match=r"chunk-00001\.npy is damaged"):
        np.asarray(OrbitStore(store.path))
    shard.unlink()
    report = store.verify()
    assert "chunk-00001.npy is missing" in report.problems[0]
    store.discard(report.damaged_images)
    assert fill(store).verify().ok


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
