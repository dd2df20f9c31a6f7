"""What is fetched, what is kept, and what is read alone."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.orbits._store_remote import RemoteFolder
from tests.orbits.stores import ROW_BYTES, expected, fill
from tests.orbits.test_store_cache import size_of

A_CHUNK = 15 * (ROW_BYTES + 8) + 8192


@pytest.fixture
def fetched(monkeypatch):
    """Names of objects that were fetched whole, and numbers of parts that were."""
    log: list[object] = []
    download, read_ranges = RemoteFolder.download, RemoteFolder.read_ranges

    def watched_download(folder, name, file):
        log.append(name)
        download(folder, name, file)

    def watched_ranges(folder, name, starts, stops):
        log.append(len(starts))
        return read_ranges(folder, name, starts, stops)

    monkeypatch.setattr(RemoteFolder, "download", watched_download)
    monkeypatch.setattr(RemoteFolder, "read_ranges", watched_ranges)
    return log


class TestCache:
    def test_chunks_are_fetched_once_and_shared(self, remote, tmp_path, fetched):
        store = fill(remote.create())
        fetched.clear()
        for _ in range(2):  # the second is as of another process
            reader = remote.open(cache_dir=tmp_path / "cache")
            np.testing.assert_array_equal(reader, expected(store)[0])
            np.testing.assert_array_equal(reader.positions, expected(store)[1])
        assert sorted(fetched) == sorted(set(fetched))
        assert len(fetched) == 2 * len(store._files)

    def test_what_was_written_anew_is_fetched_anew(self, remote, tmp_path):
        store = fill(remote.create())
        cache = {"cache_dir": tmp_path / "cache"}
        before = np.array(remote.open(**cache))
        store.discard([0])
        with store.writer(0) as writer:
            writer.write(0, np.ones((3, 6, 10)), np.zeros((3, 2)))
        after = np.array(remote.open(**cache))
        assert (after[:3] == 1).all()
        np.testing.assert_array_equal(after[3:], before[3:])

    def test_the_bound_holds_and_rows_that_find_no_room_are_read_alone(
        self, remote, tmp_path, fetched
    ):
        store = fill(remote.create())
        rows = np.random.default_rng(0).permutation(54)
        reader = remote.open(cache_dir=tmp_path / "cache", cache_bytes=A_CHUNK)
        fetched.clear()
        for some in np.array_split(rows, 54):  # less than a quarter of a chunk
            np.testing.assert_array_equal(reader[some], expected(store)[0][some])
            assert size_of(tmp_path / "cache") <= A_CHUNK
        assert sum(isinstance(entry, str) for entry in fetched) <= 2  # of one chunk
        assert any(isinstance(entry, int) for entry in fetched)
        fetched.clear()
        np.testing.assert_array_equal(reader, expected(store)[0])  # chunk by chunk
        assert len([entry for entry in fetched if entry == "chunk-00003.npy"]) == 1
        assert size_of(tmp_path / "cache") <= A_CHUNK

    def test_without_a_cache_nothing_is_kept(self, remote, tmp_path, fetched):
        store = fill(remote.create())
        reader = remote.open(cache_dir=tmp_path / "cache", cache_bytes=0)
        rows = np.array([53, 0, 1, 2, 2, 20])
        fetched.clear()
        np.testing.assert_array_equal(reader[rows], expected(store)[0][rows])
        assert not any(isinstance(entry, str) for entry in fetched)
        np.testing.assert_array_equal(reader.read_blocks(rows, 2), expected(store)[0][rows][:, :2])
        np.testing.assert_array_equal(
            reader.read_blocks(rows, 2, 3), expected(store)[0][rows][:, 3:5]
        )
        np.testing.assert_array_equal(reader.positions, expected(store)[1])
        assert not (tmp_path / "cache").exists()

    def test_a_cache_smaller_than_a_chunk_is_refused(self, remote):
        fill(remote.create())
        with pytest.raises(ValueError, match=r"cache_bytes=5000 holds no chunk .*cache_bytes=0 to"):
            remote.open(cache_bytes=5000)
        with pytest.raises(ValueError, match="verify_on_read=True compares whole images"):
            remote.open(cache_bytes=0, verify_on_read=True)

    def test_with_verify_on_read_no_row_is_read_alone(self, remote, tmp_path, fetched):
        fill(remote.create())
        reader = remote.open(cache_dir=tmp_path / "cache", cache_bytes=A_CHUNK, verify_on_read=True)
        fetched.clear()
        assert reader[[0, 30, 50]].shape == (3, 6, 10)
        assert all(isinstance(entry, str) for entry in fetched)

    def test_copies_that_went_are_fetched_again(self, remote, tmp_path):
        store = fill(remote.create())
        reader = remote.open(cache_dir=tmp_path / "cache")
        np.testing.assert_array_equal(reader, expected(store)[0])
        for folder in (tmp_path / "cache").glob("*-*"):
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        np.testing.assert_array_equal(reader, expected(store)[0])


def test_what_is_being_read_stays_as_it_was_and_changes_are_an_error(remote, tmp_path):
    store = fill(remote.create())
    reader, later = remote.open(), remote.open(cache_dir=tmp_path / "another")
    before = np.array(reader)
    assert len(later) == 54
    store.discard([0])
    np.testing.assert_array_equal(reader, before)
    with pytest.raises(ValueError, match=r"changed since it was opened.*chunk-00000\.npy"):
        np.asarray(later)
    fill(store)
    np.testing.assert_array_equal(later, before)
