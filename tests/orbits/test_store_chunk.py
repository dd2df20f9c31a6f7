from __future__ import annotations

from pathlib import Path

import pytest

from sklearn_groupcross import OrbitStore
from sklearn_groupcross.orbits._store_chunk import ChunkFiles
from sklearn_groupcross.orbits._store_format import Manifest
from tests.orbits.stores import create, fill


def test_a_chunk_has_one_writer(tmp_path):
    store = create(tmp_path / "store")
    with store.writer(0), pytest.raises(BlockingIOError, match=r"Chunk 0 of .* another process"):
        OrbitStore(store.path).writer(0).__enter__()
    with store.writer(0) as writer:  # free again
        assert writer.pending_images == [0, 1, 2]


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "meanwhile"])
@pytest.mark.parametrize(
    "read",
    [
        lambda files: files.check("orbits"),
        lambda files: files.open_array("positions"),
        lambda files: files.read_checksum(0, 1),
        lambda files: files.journal.read(),
        lambda files: files.renew([files.images[0]]),
    ],
    ids=["check", "map", "checksum", "journal", "copy"],
)
def test_a_store_that_was_moved_is_not_one_that_is_damaged(tmp_path, monkeypatch, read, is_late):
    """Nobody is told to have images written again that lie elsewhere."""
    store = fill(create(tmp_path / "store"))
    files = ChunkFiles(store.path, Manifest.read(store.path), 0)
    is_file = Path.is_file

    def moved_as_it_is_looked_for(path):
        found = is_file(path)
        if store.path.exists():
            store.path.rename(tmp_path / "away")
        return found

    if is_late:
        monkeypatch.setattr(Path, "is_file", moved_as_it_is_looked_for)
    else:
        store.path.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError, match=r"folder is gone: put it back.*store'"):
        read(files)
