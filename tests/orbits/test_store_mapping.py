"""What a reader sees while others write, and of bytes that changed on the disk."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import GroupCrosscoder, OrbitStore
from tests.orbits.stores import GROUP, create, expected, fill, rows_of

ALL = range(12)


def overwrite(store, chunks=None):
    """Write other rows than `fill` does to what is pending."""
    for chunk in store.pending() if chunks is None else chunks:
        with store.writer(chunk) as writer:
            for image in writer.pending_images:
                orbits, positions = rows_of(image, store.images[image].n_rows)
                writer.write(image, orbits + np.float16(1), positions)


@pytest.fixture
def store(tmp_path):
    return fill(create(tmp_path / "store"))


@pytest.mark.parametrize("discarded", [ALL, [1]])
def test_what_is_being_read_stays_as_it_was(store, discarded):
    reader = OrbitStore(store.path)
    before = np.array(reader)
    store.discard(discarded)
    np.testing.assert_array_equal(reader, before)
    with store.writer(0) as writer:  # files are made anew, and hold nothing yet
        np.testing.assert_array_equal(reader, before)
        image = writer.pending_images[0]
        orbits, positions = rows_of(image, writer.n_rows(image))
        writer.write(image, orbits + np.float16(1), positions)
        np.testing.assert_array_equal(reader, before)
    overwrite(store)
    np.testing.assert_array_equal(reader, before)
    after = np.array(OrbitStore(store.path))
    changed = np.isin(store.image_ids, discarded)
    assert not np.array_equal(after, before)
    np.testing.assert_array_equal(after[~changed], before[~changed])


@pytest.mark.parametrize("name", ["orbits", "positions"])
@pytest.mark.parametrize("change", ["discarded", "in work", "other rows"])
def test_rows_that_changed_before_they_were_mapped_are_an_error(store, name, change):
    reader = OrbitStore(store.path)
    assert len(reader) == 54  # it has been seen which rows there are; nothing is mapped
    store.discard([0])
    read = np.asarray if name == "orbits" else lambda reader: reader.positions
    message = r"store has changed since .*chunk-00000\.npy.* Open it again"
    if change == "in work":
        with store.writer(0), pytest.raises(ValueError, match=message):
            read(reader)
        return
    if change == "other rows":
        overwrite(store)
    with pytest.raises(ValueError, match=message):
        read(reader)
    fill(store)
    np.testing.assert_array_equal(read(OrbitStore(store.path)), read(store))


def test_the_same_rows_written_again_are_no_change(store):
    reader = OrbitStore(store.path)
    assert len(reader) == 54
    store.discard([0, 4])
    fill(store)
    np.testing.assert_array_equal(reader, expected(store)[0])


def test_rows_that_come_do_not_disturb_those_that_are_there(tmp_path):
    store = fill(create(tmp_path / "store"), at_most=5)
    reader = OrbitStore(store.path, allow_incomplete=True)
    n_rows = len(reader)
    fill(store)
    assert len(reader) == n_rows
    np.testing.assert_array_equal(reader, expected(store)[0][:n_rows])
    assert len(OrbitStore(store.path)) == 54


def test_a_removed_line_of_a_journal_is_written_to_new_files(store):
    """The message about a damaged line asks for it."""
    reader = OrbitStore(store.path)
    before = np.array(reader)
    journal = store.path / "chunk-00000.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[1:]))
    overwrite(OrbitStore(store.path))
    np.testing.assert_array_equal(reader, before)


def test_a_store_that_is_gone_is_not_one_without_rows(store):
    reader = OrbitStore(store.path)
    store.path.rename(store.path.with_name("moved"))
    for use in (
        np.asarray,
        repr,
        OrbitStore.pending,
        OrbitStore.info,
        lambda store: store.discard([0]),
        lambda store: store.writer(0).__enter__(),
    ):
        with pytest.raises(FileNotFoundError, match=r"folder is gone.*store'"):
            use(reader)
    assert "folder is gone" in str(reader.verify())
    assert not store.path.exists()  # nor made again, by a lock for example


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return fill(create(tmp_path_factory.mktemp("stores") / "store"))


class TestVerifyOnRead:
    @given(st.data())
    def test_a_changed_bit_is_an_error_where_its_image_is_read(self, shared, data):
        image = data.draw(st.sampled_from(ALL))
        rows = np.array(data.draw(st.lists(st.integers(0, 53), min_size=1)), dtype=np.int64)
        kind = data.draw(st.sampled_from(["orbits", "positions"]))
        (files,) = (f for f in shared._files if image in f.images)
        path = getattr(files, kind)
        first = shared._manifest.row_in_chunk(files.chunk, image)
        start, length = files.span(kind, first, shared.images[image].n_rows)
        at = files.check(kind) + start + data.draw(st.integers(0, length - 1))
        whole = path.read_bytes()
        bytes_now = bytearray(whole)
        bytes_now[at] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(bytes_now)
        try:
            reader = OrbitStore(shared.path, verify_on_read=True)
            view = pickle.loads(pickle.dumps(reader))[rows, ...]
            for read in (
                lambda: reader[rows],
                lambda: reader.read_blocks(rows, 1),
                lambda: view.positions,
            ):
                if image in shared.image_ids[rows]:
                    with pytest.raises(ValueError, match=rf"image {image} \('photo {image}.jpg'\)"):
                        read()
                else:
                    read()
            OrbitStore(shared.path)[rows]  # which is why there is the option
        finally:
            path.write_bytes(whole)

    def test_what_is_whole_is_read_as_always(self, shared):
        reader = OrbitStore(shared.path, verify_on_read=True)
        np.testing.assert_array_equal(reader, expected(shared)[0])
        np.testing.assert_array_equal(reader.positions, expected(shared)[1])
        assert not any(reader._chunks._unverified.values())

    def test_several_threads_may_read(self, shared):
        reader, rows = OrbitStore(shared.path, verify_on_read=True), np.arange(54)
        with ThreadPoolExecutor(4) as pool:
            for read in pool.map(lambda _: reader[rows], range(16)):
                np.testing.assert_array_equal(read, expected(shared)[0])

    def test_fit_sees_it(self, store):
        path = store.path / "chunk-00002.npy"
        damaged = bytearray(path.read_bytes())
        damaged[-3] ^= 4
        path.write_bytes(damaged)
        crosscoder = GroupCrosscoder(GROUP, n_features=8, max_epochs=1, random_state=0)
        crosscoder.fit(OrbitStore(store.path))
        with pytest.raises(ValueError, match=r"chunk-00002\.npy .* is damaged.*discard\(\[8\]\)"):
            crosscoder.fit(OrbitStore(store.path, verify_on_read=True))

    def test_images_that_are_there_are_verified_in_an_incomplete_store(self, store):
        store.discard([3])
        fill(store, at_most=0)
        reader = OrbitStore(store.path, allow_incomplete=True, verify_on_read=True)
        assert len(np.asarray(reader)) == 54 - store.images[3].n_rows
