"""Stores on systems and file systems other than the one that they are tested on."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, OrbitDataset, OrbitStore
from tests.orbits.stores import contents, create, expected, fill, images, rows_of


@pytest.mark.usefixtures("elsewhere")
def test_stores_are_made_filled_read_and_mended(tmp_path):
    store = fill(create(tmp_path / "new" / "store"), at_most=4)
    store = fill(create(store.path))
    np.testing.assert_array_equal(OrbitStore(store.path), expected(store)[0])
    store.append(images(2, first=12))
    fill(store)
    store.discard([0, 5])
    assert fill(store).verify().ok
    np.testing.assert_array_equal(OrbitStore(store.path), expected(store)[0])


@pytest.mark.usefixtures("windows")
class TestWindows:
    def test_links_are_refused_there_too(self, tmp_path):
        store = create(tmp_path / "store")
        (store.path / "chunk-00000.npy").symlink_to(tmp_path / "outside")
        with pytest.raises(OSError, match=r"symbolic link.*chunk-00000\.npy"):
            fill(store)

    def test_a_chunk_that_is_being_read_is_said_to_be_in_use(self, tmp_path):
        store = fill(create(tmp_path / "store"))
        reader = OrbitStore(store.path)
        before = np.asarray(reader)
        store.discard([0])
        with pytest.raises(PermissionError, match=r"in use.*chunk-00000"):
            fill(store)
        np.testing.assert_array_equal(reader, before)
        del reader
        assert fill(store).verify().ok

    def test_orbits_are_extracted(self, tmp_path, smooth_images, small_network):
        orbits = OrbitDataset(
            smooth_images, network=small_network, group=Dihedral(2), n_positions=2
        )
        store = orbits.extract(tmp_path / "store", dtype="float32")
        array = orbits.as_array(tmp_path / "orbits.npy")
        np.testing.assert_array_equal(array, orbits.as_array())
        np.testing.assert_array_equal(store, array)


@pytest.mark.parametrize("name", ["o" * 248 + ".orbits", "é" * 124 + ".orbits"])
def test_names_as_long_as_the_file_system_allows(tmp_path, name):
    store = fill(create(tmp_path / name))
    store.append(images(1, first=12))
    store.discard([0])
    assert fill(store).verify().ok


def test_an_array_at_a_name_as_long_as_the_file_system_allows(tmp_path, small_dataset):
    path = tmp_path / ("o" * 251 + ".npy")
    np.testing.assert_array_equal(small_dataset.as_array(path), small_dataset.as_array())
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_array_is_written_through_a_link_of_the_user(tmp_path, small_dataset):
    (tmp_path / "disk").mkdir()
    (tmp_path / "orbits.npy").symlink_to(tmp_path / "disk" / "large.npy")
    small_dataset.as_array(tmp_path / "orbits.npy")
    assert (tmp_path / "orbits.npy").is_symlink()
    assert len(np.load(tmp_path / "disk" / "large.npy")) == small_dataset.n_samples


def test_a_full_disk_leaves_no_array(tmp_path, monkeypatch, small_dataset):
    path = tmp_path / "orbits.npy"
    path.write_bytes(b"old")

    def no_space(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_space, raising=False)
    with pytest.raises(OSError, match=r"No space left on device.*orbits\.npy"):
        small_dataset.as_array(path)
    assert contents(tmp_path) == {"orbits.npy": b"old"}


class TestDurability:
    """What is said to be written is on the disk: content before names, names before more."""

    @pytest.fixture
    def events(self, monkeypatch):
        """Names of files in the order in which they were synced, renamed and appended to."""
        events: list[str] = []
        fsync, replace = os.fsync, os.replace

        def watched_fsync(descriptor):
            place = os.path.realpath(f"/proc/self/fd/{descriptor}")
            kind = "folder" if os.path.isdir(place) else "file"
            events.append(f"{kind} {os.path.basename(place)}")
            fsync(descriptor)

        def watched_replace(source, target):
            events.append(f"rename {os.path.basename(target)}")
            replace(source, target)

        if not os.path.isdir("/proc/self/fd"):
            pytest.skip("there is no /proc/self/fd to tell which file is synced")
        monkeypatch.setattr(os, "fsync", watched_fsync)
        monkeypatch.setattr(os, "replace", watched_replace)
        return events

    @pytest.mark.parametrize("name", ["manifest.json", "chunk-00000.npy"])
    def test_files_that_are_made(self, tmp_path, events, name):
        with create(tmp_path / "store").writer(0):
            pass
        first, last = events.index(f"file {name}"), events.index(f"rename {name}")
        assert first < last
        assert "folder store" in events[last:]

    def test_the_folder_of_a_new_store(self, tmp_path, events):
        create(tmp_path / "projects" / "store")
        assert f"folder {tmp_path.name}" in events
        assert "folder projects" in events

    def test_an_image_that_is_written(self, tmp_path, events):
        store = create(tmp_path / "store")
        with store.writer(0) as writer:
            events.clear()
            fill_one(writer, store)
            assert events == [
                "file chunk-00000.npy",
                "file chunk-00000.positions.npy",
                "file chunk-00000.jsonl",
                "folder store",  # the journal is new
            ]
            events.clear()
            fill_one(writer, store)
            assert events[-1] == "file chunk-00000.jsonl"

    def test_images_that_are_discarded(self, tmp_path, events):
        store = fill(create(tmp_path / "store"))
        events.clear()
        store.discard([0])
        assert events[-3:] == [
            "file chunk-00000.jsonl",
            "rename chunk-00000.jsonl",
            "folder store",
        ]

    def test_an_array(self, tmp_path, events, small_dataset):
        small_dataset.as_array(tmp_path / "orbits.npy")
        assert events == ["file orbits.npy", "rename orbits.npy", f"folder {tmp_path.name}"]


def fill_one(writer, store):
    image = writer.pending_images[0]
    writer.write(image, *rows_of(image, store.images[image].n_rows))
