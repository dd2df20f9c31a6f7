from __future__ import annotations

import hashlib
import itertools
import json
import pickle

import msgspec
import numpy as np
import pytest

from sklearn_groupcross import OrbitStore
from sklearn_groupcross.orbits import StoredImage
from sklearn_groupcross.orbits._store_format import Manifest
from sklearn_groupcross.orbits._store_images import ImageTable
from sklearn_groupcross.orbits._store_schema import parse_manifest
from tests.orbits.stores import create, expected, fill, images
from tests.orbits.test_store_schema import error_of, flips, mutations


def test_a_table_is_the_sequence_of_its_images():
    table = ImageTable.of(images(5))
    assert list(table) == images(5)
    assert table[3] == images(5)[3]
    assert isinstance(table[3].n_rows, int)
    assert list(table[1:3]) == images(5)[1:3]
    assert table[:2] + table[2:] == table
    assert table != ImageTable.of(images(5, rows=9))
    assert table != images(5)
    assert not ImageTable.of([])
    assert ImageTable.of([StoredImage("a\udc80", "b", 1)]).names == ["a?"]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of twelve images, which are many."""
    monkeypatch.setattr("sklearn_groupcross.orbits._store_format.MANY_IMAGES", 5)
    return fill(create(tmp_path / "store", metadata={"seed": 2**80, "x": [1e-320, -0.0]}))


class TestManyImages:
    def test_they_are_written_in_columns_and_read_as_ever(self, store, tmp_path):
        content = json.loads((store.path / "manifest.json").read_bytes())
        assert content["format_version"] == store.info()["format version"] == 2
        assert content["images"]["names"][3] == "photo 3.jpg"
        reader = OrbitStore(store.path)
        assert reader.images == tuple(images(12))
        assert reader.metadata == {"seed": 2**80, "x": [1e-320, -0.0]}
        np.testing.assert_array_equal(reader, expected(store)[0])
        assert reader.verify().ok

    def test_a_store_of_few_becomes_one_of_many(self, store):
        few = fill(create(store.path.with_name("few"), n=5))
        assert few.info()["format version"] == 1
        few.append(images(1, first=5))
        assert few.info()["format version"] == 2
        assert OrbitStore(few.path).pending_images() == [5]

    def test_no_changed_bit_is_another_manifest(self, store):
        path, right = store.path / "manifest.json", Manifest.read(store.path)
        data = path.read_bytes()
        some = itertools.islice(flips(data), 0, None, 5)
        for changed in (*some, *mutations(data, 200, 0)):

            def read(changed=changed):
                assert Manifest.of(parse_manifest(changed, path), path) == right

            assert not (error := error_of(read)) or str(path) in error

    @pytest.mark.parametrize(
        "columns",
        [
            {"names": []},
            {"digests": ["a"]},
            {"n_rows": [3] * 11},
            {"n_rows": [0] * 12},
            {"n_rows": [2**60] * 12},
            {"names": [3] * 12},
            {"colours": []},
        ],
    )
    def test_columns_that_make_no_sense(self, store, columns):
        path = store.path / "manifest.json"
        content = json.loads(path.read_bytes())
        content["images"] |= columns
        said = {k: v for k, v in content.items() if k not in ("images", "checksum")}
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
        digest.update(msgspec.json.encode(content["images"]))
        path.write_text(json.dumps(content | {"checksum": digest.hexdigest()}))
        with pytest.raises(ValueError, match=r"manifest\.json (is damaged|makes no sense)"):
            OrbitStore(store.path)

    def test_journals_are_read_when_their_chunk_is(self, store, monkeypatch):
        read: list[str] = []
        content = type(store._files[0].journal)._content

        def watched(journal):
            read.append(journal.path.name)
            return content(journal)

        monkeypatch.setattr(type(store._files[0].journal), "_content", watched)
        reader = OrbitStore(store.path)
        assert len(reader) == 54
        assert "complete" in repr(reader)
        assert (reader.pending(), reader.info()["images"], read) == ([], "12 of 12", [])
        np.testing.assert_array_equal(reader[:5], expected(store)[0][:5])
        assert set(read) == {"chunk-00000.jsonl"}

    def test_a_chunk_that_changed_before_it_was_mapped_is_an_error(self, store):
        reader = OrbitStore(store.path)
        assert len(reader) == 54
        store.discard([0])
        for _ in range(2):
            with pytest.raises(
                ValueError, match=r"changed since .*chunk-00000\.npy.*Open it again"
            ):
                np.asarray(reader)
            fill(store)
        pickled = pickle.loads(pickle.dumps(reader))  # takes what is complete where it is read
        np.testing.assert_array_equal(pickled, expected(store)[0])

    def test_what_is_missing_is_seen(self, store):
        store.discard([0, 7])
        assert store.pending_images() == OrbitStore(store.path).pending_images() == [0, 7]
        assert "2 images pending" in repr(store)
        with pytest.raises(ValueError, match="incomplete: 2 of 12"):
            len(OrbitStore(store.path))
        part = OrbitStore(store.path, allow_incomplete=True)
        np.testing.assert_array_equal(part, np.asarray(part[np.arange(len(part)), ...]))
        assert set(part.image_ids) == set(range(12)) - {0, 7}

    def test_a_damaged_journal_of_full_length_is_an_error_where_it_is_read(self, store):
        journal = store.path / "chunk-00001.jsonl"
        data = journal.read_bytes()
        journal.write_bytes(b"?" + data[1:])
        reader = OrbitStore(store.path)
        assert len(reader) == 54
        with pytest.raises(ValueError, match=r"chunk-00001\.jsonl is damaged in line 1"):
            np.asarray(reader)


@pytest.mark.parametrize("first", [0, 3, 95, 9_999])
def test_the_length_of_a_whole_journal(tmp_path, first):
    from sklearn_groupcross.orbits._store_journal import Journal

    numbers = range(first, first + 10)
    text = Journal.text(dict.fromkeys(numbers, "0" * 64))
    assert Journal(tmp_path / "j", numbers).full_length == len(text)
