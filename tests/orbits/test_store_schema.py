"""Manifests, journals and headers that are damaged or make no sense."""

from __future__ import annotations

import itertools
import json
import random

import msgspec
import numpy as np
import pytest

from sklearn_groupcross import OrbitStore
from sklearn_groupcross.orbits import StoredImage
from sklearn_groupcross.orbits._store_format import Manifest
from sklearn_groupcross.orbits._store_schema import ManifestContent, _checksum, parse_manifest
from tests.orbits.stores import contents, create, fill


@pytest.fixture
def store(tmp_path):
    return fill(create(tmp_path / "store", n=3, metadata={"layers": {"top": [2, 9]}}))


def flips(data):
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            yield bytes(changed)


def mutations(data, n, seed):
    """Bytes changed, inserted, removed, doubled and cut, some at a time."""
    rng = random.Random(seed)
    for _ in range(n):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 5))):
            at, length = rng.randrange(len(changed) + 1), rng.choice((1, 2, 9, 60))
            part = bytes(
                rng.choice(data) if rng.random() < 0.7 else rng.randrange(256)
                for _ in range(length)
            )
            changed[at : at + rng.choice((0, length))] = rng.choice((part, b"", changed[:length]))
            del changed[4 * len(data) :]
        yield bytes(changed)


def error_of(function):
    """What a function raises that is told to users, as text."""
    try:
        function()
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def test_no_changed_bit_of_a_manifest_is_another_manifest(store):
    path, right = store.path / "manifest.json", Manifest.read(store.path)
    data = path.read_bytes()
    for changed in (*flips(data), *mutations(data, 300, 0)):

        def read(changed=changed):
            assert Manifest.of(parse_manifest(changed, path), path) == right

        assert not (error := error_of(read)) or str(path) in error


def test_no_changed_bit_of_a_journal_is_another_journal(store):
    """Lines may be missed, and their images are then pending."""
    journal = store._files[0].journal
    right, data = journal.read(), journal.path.read_bytes()
    for changed in (*flips(data), *mutations(data, 300, 1)):

        def read(changed=changed):
            assert journal.parse(changed)[0].items() <= right.items()

        assert not (error := error_of(read)) or str(journal.path) in error


@pytest.mark.parametrize("name", ["orbits", "positions"])
def test_no_changed_bit_of_a_header_is_another_array(store, name):
    (files,) = store._files
    path = getattr(files, name)
    data, offset = path.read_bytes(), files.check(name)
    some = itertools.islice(flips(data[:offset]), 0, None, 3)
    for header in (*some, *mutations(data[:offset], 100, 2)):
        path.write_bytes(header + data[offset:])

        def read():
            assert files.open_array(name).tobytes() == data[offset:]

        assert not (error := error_of(read)) or str(path) in error


def test_journals_without_checksums_of_lines_are_read(store):
    (files,) = store._files
    right, whole = files.journal.read(), contents(store.path)
    old = [{"image": image, "sha256": checksum} for image, checksum in right.items()]
    files.journal.path.write_text("".join(json.dumps(line) + "\n" for line in old))
    assert files.journal.read() == right
    assert OrbitStore(store.path).verify().ok
    store.discard([1])
    assert sorted(contents(fill(store).path).items()) != sorted(whole.items())
    assert store.verify().ok


NONSENSE = {
    "group of 10^5 elements": {"group": {"family": "Dihedral", "arguments": [100_000]}},
    "group of another family": {"group": {"family": "Path", "arguments": ["/"]}},
    "group without arguments": {"group": {"family": "Dihedral"}},
    "group of a list": {"group": {"family": ["Dihedral"], "arguments": [3]}},
    "group of nothing": {"group": {}},
    "group of a text": {"group": {"family": "Dihedral", "arguments": ["3"]}},
    "group that is none": {"group": "Dihedral(3)"},
    "no channels": {"n_channels": 0},
    "channels in text": {"n_channels": "10"},
    "fractional channels": {"n_channels": 10.5},
    "channels beyond all": {"n_channels": 10**15},
    "another dtype": {"dtype": "float64"},
    "metadata of a list": {"metadata": []},
    "layers beyond the channels": {"metadata": {"layers": {"top": [2, 99]}}},
    "layers of another type": {"metadata": {"layers": 3}},
    "chunks of nothing": {"chunk_starts": []},
    "chunks that do not begin": {"chunk_starts": [1]},
    "chunks that go back": {"chunk_starts": [0, 2, 1]},
    "a chunk of no image": {"chunk_starts": [0, 0]},
    "chunks beyond the images": {"chunk_starts": [0, 3]},
    "chunks before the first": {"chunk_starts": [-1]},
    "no images": {"images": []},
    "images of two": {"images": [["a", "b"]]},
    "images without rows": {"images": [["a", "b", 0]]},
    "rows beyond any disk": {"images": [["a", "b", 2**40]] * 3, "n_channels": 2**30},
    "rows beyond 64 bits": {"images": [["a", "b", 2**70]]},
    "bytes of a chunk": {"chunk_bytes": -1},
    "a name too many": {"colour": "red"},
}


@pytest.mark.parametrize("what", NONSENSE)
def test_well_formed_nonsense_is_refused_with_the_name_of_the_file(store, what):
    path = store.path / "manifest.json"
    content = json.loads(path.read_bytes()) | NONSENSE[what]
    path.write_text(json.dumps(content | {"checksum": _checksum(content)}))
    with pytest.raises(ValueError, match=r"manifest\.json (is damaged|makes no sense)"):
        OrbitStore(store.path)


def test_a_missing_name_is_refused(store):
    path = store.path / "manifest.json"
    whole = json.loads(path.read_bytes())
    for name in whole:
        path.write_text(json.dumps({key: value for key, value in whole.items() if key != name}))
        with pytest.raises(ValueError, match=r"manifest\.json"):
            OrbitStore(store.path)


def test_nesting_beyond_all_bounds(store):
    path = store.path / "manifest.json"
    for text in ("[" * 10**6, '{"format":' * 10**5, '{"metadata": ' + "[" * 10**5):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"manifest\.json"):
            OrbitStore(store.path)


def test_a_manifest_that_claims_more_rows_than_there_are_takes_no_memory_for_them(tmp_path):
    """Files are held against it first."""
    store = fill(create(tmp_path / "store", n=1))
    path = store.path / "manifest.json"
    content = json.loads(path.read_bytes())
    content["images"][0][2] = 2**36
    path.write_text(json.dumps(content | {"checksum": _checksum(content)}))
    with pytest.raises(ValueError, match=r"chunk-00000\.npy is damaged: its header says"):
        len(OrbitStore(store.path))


def test_a_journal_larger_than_its_images_can_make_it(store):
    path = store.path / "chunk-00000.jsonl"
    with open(path, "r+b") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=r"chunk-00000\.jsonl is damaged: it has 1099511627776 b"):
        np.asarray(OrbitStore(store.path))


def test_what_is_written_can_be_read(tmp_path):
    """Names of files that no text can hold, numbers beyond 64 bits."""
    images = [StoredImage("photo \udc80.jpg", "1", 1), StoredImage("\U0001f600", "2", 1)]
    metadata = {"seed": 2**80, "path": "a\udcff", "x": [1e-320, -0.0, 1.5e300], "é": None}
    store = create(tmp_path / "store", images=images, metadata=metadata)
    again = create(tmp_path / "store", images=images, metadata=metadata)
    assert again.images == store.images
    assert again.images[0].name == "photo ?.jpg"
    assert again.metadata == {**metadata, "path": "a?"}


def test_metadata_too_deep_to_be_read_are_not_written(tmp_path):
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="what JSON can hold"):
        create(tmp_path / "store", metadata={"deep": deep})


def test_nothing_undeclared_is_read():
    assert msgspec.inspect.type_info(ManifestContent).forbid_unknown_fields
