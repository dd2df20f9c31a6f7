"""Nothing outside of a store is written to, whatever links lie in it."""

from __future__ import annotations

import os

import numpy as np
import pytest

from sklearn_groupcross import OrbitStore
from tests.orbits.stores import contents, create, expected, fill, images

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows makes links for few users")

CHUNK_FILES = [
    ".chunk-00000.lock",
    "chunk-00000.npy",
    "chunk-00000.positions.npy",
    "chunk-00000.jsonl",
]


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("n_written", [0, 1])
@pytest.mark.parametrize("name", CHUNK_FILES)
def test_a_chunk_is_not_written_through_links(tmp_path, name, n_written, is_there):
    store = fill(create(tmp_path / "store"), at_most=n_written)
    victim, link = tmp_path / "precious", store.path / name
    if is_there:  # else the link dangles
        old = link.read_bytes() if link.exists() else b""
        victim.write_bytes(old or b"precious")
    link.unlink(missing_ok=True)
    link.symlink_to(victim)
    before = victim.read_bytes() if is_there else None
    for write in (lambda: fill(store), lambda: fill(create(store.path))):
        with pytest.raises((OSError, ValueError), match=name):
            write()
    assert (victim.read_bytes() if victim.exists() else None) == before


@pytest.mark.parametrize("is_there", [True, False])
def test_a_manifest_is_not_written_through_links(tmp_path, is_there):
    store = create(tmp_path / "store")
    manifest, victim = store.path / "manifest.json", tmp_path / "precious"
    if is_there:
        manifest.rename(victim)
    else:
        manifest.unlink()
    manifest.symlink_to(victim)
    before = victim.read_bytes() if is_there else None
    if is_there:
        OrbitStore(store.path).append(images(1, first=12))  # replaces the link
        assert not manifest.is_symlink()
        assert len(OrbitStore(store.path).images) == 13
        assert victim.read_bytes() == before
    else:
        with pytest.raises(ValueError, match="other files in it"):
            create(store.path)
        assert not victim.exists()
    (store.path / ".manifest.lock").unlink()
    (store.path / ".manifest.lock").symlink_to(victim)
    with pytest.raises(OSError, match=r"manifest\.lock|no orbit store|No orbit store"):
        OrbitStore(store.path).append(images(1, first=20))
    assert (victim.read_bytes() if victim.exists() else None) == before


def test_a_copy_of_hard_links_stays_what_it_is(tmp_path):
    """Backups are made so: the copy shares its files with the store until one of them is new."""
    store = fill(create(tmp_path / "store"), at_most=4)
    (tmp_path / "backup").mkdir()
    for file in store.path.iterdir():
        os.link(file, tmp_path / "backup" / file.name)
    before = contents(tmp_path / "backup")
    store.append(images(1, first=12))
    fill(store)
    assert store.verify().ok
    assert contents(tmp_path / "backup") == before


def test_a_store_is_read_through_links(tmp_path):
    """Files may be moved to another disk; only writing is refused."""
    store = fill(create(tmp_path / "store"))
    (tmp_path / "elsewhere").mkdir()
    for file in list(store.path.iterdir()):
        file.rename(tmp_path / "elsewhere" / file.name)
        file.symlink_to(tmp_path / "elsewhere" / file.name)
    again = OrbitStore(store.path)
    np.testing.assert_array_equal(np.asarray(again), expected(again)[0])
    assert again.verify().ok


def test_a_pipe_in_place_of_a_file_is_no_trap(tmp_path):
    """Opened for writing it would be waited for, for ever."""
    store = fill(create(tmp_path / "store"), at_most=1)
    journal = store.path / "chunk-00000.jsonl"
    journal.unlink()
    os.mkfifo(journal)
    with pytest.raises((OSError, ValueError), match=r"chunk-00000\.jsonl"):
        fill(store)
    journal.unlink()
    (store.path / "chunk-00000.npy").unlink()
    os.mkfifo(store.path / "chunk-00000.npy")
    assert fill(store).verify().ok  # what lies there counts for nothing, and is replaced
