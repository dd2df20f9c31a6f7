"""Stores on object storage do what stores in folders do."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from joblib import Parallel, delayed

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, OrbitStore
from sklearn_groupcross.orbits import is_store
from tests.orbits.stores import GROUP, contents, create, expected, fill, images


def test_it_holds_what_a_folder_does_to_the_byte(remote, tmp_path):
    here = fill(create(tmp_path / "store"))
    store = fill(remote.create())
    assert store.verify().ok
    assert store.digest() == here.digest()
    assert remote.contents() == contents(here.path)
    reopened = remote.open()
    np.testing.assert_array_equal(reopened, expected(here)[0])
    np.testing.assert_array_equal(reopened.positions, expected(here)[1])
    assert reopened.path == f"{remote.url}/a.orbits"
    assert "complete" in repr(reopened)
    info, info_here = reopened.info(), here.info()
    assert {**info, "path": 0, "bytes on disk": 0} == {**info_here, "path": 0, "bytes on disk": 0}


def test_a_folder_that_was_uploaded_is_a_store(remote, tmp_path):
    here = fill(create(tmp_path / "store"))
    for name, data in contents(here.path).items():
        remote.put(name, data)
    assert is_store(f"{remote.url}/a.orbits", storage_options=remote.options)
    np.testing.assert_array_equal(remote.open(), here)


def test_what_is_not_there(remote):
    assert not is_store(f"{remote.url}/a.orbits", storage_options=remote.options)
    with pytest.raises(FileNotFoundError, match=r"No orbit store at .*a\.orbits: .*manifest\.json"):
        remote.open()
    remote.put("thesis.tex", b"precious")
    with pytest.raises(
        ValueError, match=r"other objects, such as 'thesis.tex', and no orbit store"
    ):
        remote.create()


def test_reopened_appended_to_and_mended(remote, tmp_path):
    fill(remote.create(), at_most=4)
    store = remote.create()
    assert store.pending_images() == [4, 5, 6, 7, 8, 9, 10, 11]
    with pytest.raises(ValueError, match="incomplete: 8 of 12 images are missing"):
        np.asarray(store)
    part = remote.open(allow_incomplete=True)
    np.testing.assert_array_equal(part, expected(part)[0][: len(part)])
    fill(store)
    store.append(images(2, first=12))
    assert store.pending_images() == [12, 13]
    store.discard([0, 5])
    assert store.pending_images() == [0, 5, 12, 13]
    assert fill(store).verify().ok
    np.testing.assert_array_equal(store, expected(store)[0])
    here = fill(create(tmp_path / "store", n=14))
    assert store.digest() == here.digest()


def test_another_configuration_is_refused_once_there_are_rows(remote):
    remote.create(dtype="float32")
    store = remote.create()
    assert store.dtype == np.float16
    fill(store, at_most=1)
    with pytest.raises(ValueError, match="its dtype is 'float16', not 'float32'"):
        remote.create(dtype="float32")


def test_a_store_that_is_gone_is_not_one_without_rows(remote):
    store = fill(remote.create())
    filesystem, root = remote.filesystem()
    filesystem.rm(f"{root}/a.orbits", recursive=True)
    for use in (len, repr, lambda s: s.pending(), lambda s: s.writer(0).__enter__()):
        with pytest.raises(FileNotFoundError, match=r"a\.orbits"):
            use(store)


@pytest.mark.parametrize("name", ["chunk-00001.npy", "chunk-00001.positions.npy"])
def test_a_flipped_byte_is_found_by_verify_and_by_reading(remote, name):
    store = fill(remote.create())
    whole = remote.contents()
    damaged = bytearray(whole[name])
    damaged[-1] ^= 1
    remote.put(name, bytes(damaged))
    report = store.verify()
    (last,) = report.damaged_images
    assert f"{remote.url}/a.orbits/chunk-00001.npy" in report.problems[0]
    assert f"image {last} ('photo {last}.jpg')" in report.problems[0]
    with pytest.raises(ValueError, match=rf"{remote.url}.*chunk-00001.* image {last} .*discard"):
        np.asarray(remote.open())
    store.discard(report.damaged_images)
    assert fill(store).verify().ok
    assert remote.contents() == whole


def test_objects_of_another_size_and_missing_ones_are_named(remote):
    store = fill(remote.create())
    remote.put("chunk-00001.npy", remote.contents()["chunk-00001.npy"][:-900])
    with pytest.raises(ValueError, match=rf"{remote.url}/a.orbits/chunk-00001\.npy is damaged"):
        len(remote.open())
    assert "chunk-00001.npy is damaged: it has" in store.verify().problems[0]
    filesystem, root = remote.filesystem()
    filesystem.rm_file(f"{root}/a.orbits/chunk-00001.npy")
    with pytest.raises(FileNotFoundError, match=rf"{remote.url}/a.orbits/chunk-00001\.npy is miss"):
        len(remote.open())
    assert "chunk-00001.npy is missing" in store.verify().problems[0]


@pytest.mark.parametrize("cache_bytes", [2**30, 0])
def test_a_fit_is_that_of_a_folder(remote, tmp_path, cache_bytes):
    here, store = fill(create(tmp_path / "store")), fill(remote.create())
    settings = {"n_features": 8, "max_epochs": 2, "batch_size": 16, "random_state": 0}
    models = [
        GroupCrosscoder(GROUP, **settings).fit(orbits)
        for orbits in (here, remote.open(cache_bytes=cache_bytes))
    ]
    np.testing.assert_array_equal(models[0].components_, models[1].components_)
    np.testing.assert_array_equal(models[0].transform(here), models[1].transform(store))


def sums(store, rows):
    return store[rows].astype(np.float64).sum(axis=(1, 2))


@pytest.mark.parametrize("remote", ["s3"], indirect=True)
class TestProcesses:
    def test_workers_read_a_store_that_was_pickled(self, remote, tmp_path):
        store = fill(remote.create())
        view = remote.open(cache_dir=tmp_path / "cache")[::-1, ...]
        parts = np.array_split(np.arange(54), 4)
        found = Parallel(n_jobs=2)(delayed(sums)(view, rows) for rows in parts)
        np.testing.assert_array_equal(np.concatenate(found), sums(store, slice(None, None, -1)))

    @pytest.mark.slow
    def test_two_extract(self, remote, tmp_path, small_network, smooth_images):
        dataset = OrbitDataset(
            smooth_images, network=small_network, group=Dihedral(2), n_positions=4
        )
        here = dataset.extract(tmp_path / "store")
        url = f"{remote.url}/b.orbits"
        store = dataset.extract(url, n_jobs=2, storage_options=remote.options)
        assert store.digest() == here.digest()
        np.testing.assert_array_equal(store, here)
        assert dataset.extract(url, append=True, storage_options=remote.options).verify().ok


@pytest.mark.parametrize("remote", ["memory"], indirect=True)
def test_processes_do_not_share_memory(remote, small_dataset):
    with pytest.raises(ValueError, match="in the memory of this process.*n_jobs=1"):
        small_dataset.extract(f"{remote.url}/b.orbits", n_jobs=2)


def test_many_images_are_opened_without_their_journals(remote, monkeypatch):
    monkeypatch.setattr("sklearn_groupcross.orbits._store_format.MANY_IMAGES", 5)
    store = fill(remote.create())
    journal = remote.contents()["chunk-00001.jsonl"]
    remote.put("chunk-00001.jsonl", b"x" * len(journal))
    reader = remote.open()
    assert len(reader) == 54
    assert "complete" in repr(reader)
    np.testing.assert_array_equal(reader[:10], expected(store)[0][:10])
    with pytest.raises(ValueError, match="chunk-00001"):
        np.asarray(reader)
    reader = remote.open()
    assert len(reader) == 54
    remote.put("chunk-00001.jsonl", journal)
    with pytest.raises(ValueError, match="changed since it was opened"):
        np.asarray(reader)
    np.testing.assert_array_equal(remote.open(), expected(store)[0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reader)), expected(store)[0])


def test_files_of_ones_own_lie_beside_the_chunks(remote):
    store = remote.create()
    with pytest.raises(FileNotFoundError):
        store.read_beside("notes.toml")
    store.write_beside("notes.toml", b"a = 1")
    assert remote.open().read_beside("notes.toml") == b"a = 1"


def test_two_who_append_at_once_are_told(remote, monkeypatch):
    store = remote.create()
    write = type(store._place._folder).write

    def write_and_be_overtaken(folder, name, content):
        write(folder, name, content)
        monkeypatch.undo()
        remote.create("c.orbits", images=[*images(12), *images(1, first=20)])
        write(folder, name, remote.contents("c.orbits")["manifest.json"])

    with monkeypatch.context() as patch:
        monkeypatch = patch
        patch.setattr(type(store._place._folder), "write", write_and_be_overtaken)
        with pytest.raises(BlockingIOError, match="Append these again"):
            store.append(images(1, first=12))
    assert [image.name for image in remote.open().images[12:]] == ["photo 20.jpg"]


def test_file_urls_are_folders(tmp_path):
    store = fill(create((tmp_path / "a b.orbits").as_uri()))
    assert store.path == tmp_path / "a b.orbits"
    np.testing.assert_array_equal(OrbitStore(tmp_path / "a b.orbits"), store)
