from __future__ import annotations

import os

import numpy as np
import pytest

from sklearn_groupcross import OrbitStore
from tests.orbits.stores import create, expected, fill


@pytest.mark.parametrize(
    "torn", [b'{"image": 1, "sha', b"\0\0\0\0", b"\0\0\0\n", b'{"image": 1}\n', b'{"image": 99}\n']
)
def test_a_torn_line_is_cut(tmp_path, torn):
    store = fill(create(tmp_path / "store"), at_most=1)
    journal = store.path / "chunk-00000.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + torn)
    assert store.pending_images()[0] == 1  # a reader is not disturbed
    with store.writer(0) as writer:
        assert writer.pending_images == [1, 2]
        assert journal.read_bytes() == whole
    fill(store)
    assert store.verify().ok


def test_rows_without_a_line_are_written_anew(tmp_path):
    store = create(tmp_path / "store")
    fill(store, at_most=2)
    with open(store.path / "chunk-00000.npy", "r+b") as file:
        file.seek(-5, os.SEEK_END)
        file.write(b"half.")
    fill(store)
    np.testing.assert_array_equal(np.asarray(store), expected(store)[0])


def test_a_damaged_journal_is_named(tmp_path):
    store = fill(create(tmp_path / "store"))
    journal = store.path / "chunk-00000.jsonl"
    lines = journal.read_text(encoding="utf-8").splitlines(keepends=True)
    journal.write_text("".join([lines[0], "rubbish\n", *lines[2:]]))
    (problem,) = store.verify().problems
    assert "chunk-00000.jsonl is damaged in line 2. Remove that line" in problem
    journal.write_text("".join([lines[0], *lines[2:]]))
    assert OrbitStore(store.path).pending_images() == [1]
