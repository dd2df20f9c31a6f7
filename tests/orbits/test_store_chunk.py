from __future__ import annotations

import pytest

from sklearn_groupcross import OrbitStore
from tests.orbits.stores import create


def test_a_chunk_has_one_writer(tmp_path):
    store = create(tmp_path / "store")
    with store.writer(0), pytest.raises(BlockingIOError, match=r"Chunk 0 of .* another process"):
        OrbitStore(store.path).writer(0).__enter__()
    with store.writer(0) as writer:  # free again
        assert writer.pending_images == [0, 1, 2]
