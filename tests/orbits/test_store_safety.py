"""What becomes of a store when processes die, disks fill and bytes change."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from sklearn_groupcross import OrbitStore
from tests.orbits.stores import contents, create, expected, fill, images, many_images


def in_processes(what, path):
    """Run tests/orbits/stores.py, which starts processes: pytest's own process has threads."""
    command = [sys.executable, "-m", "tests.orbits.stores", what, str(path)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_killed_ten_times_and_resumed_it_is_the_same_to_the_byte(tmp_path):
    printed = in_processes("killed", tmp_path / "store")
    counts, whole = [int(n) for n in printed[::2]], printed[1::2]
    assert whole == ["True"] * 10
    assert counts == sorted(counts)  # nothing that was there is lost
    assert counts[0] < counts[-1] < 200  # or no kill came in the midst of work
    assert contents(tmp_path / "store") == contents(tmp_path / "store-whole")


def test_two_processes_write_different_chunks(tmp_path):
    assert in_processes("two", tmp_path / "store") == ["0", "0"]
    fill(many_images(tmp_path / "whole"))
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


@pytest.mark.skipif(
    not os.path.exists("/proc/self/status"),
    reason="there is no /proc/self/status to tell a process's own memory from pages of its files",
)
def test_a_hundred_thousand_orbits_are_learned_from_in_bounded_memory(tmp_path):
    size, peak = map(int, in_processes("memory", tmp_path / "store"))
    assert size > 190 * 2**20
    assert peak < size / 2


def test_a_chunk_has_one_writer(tmp_path):
    store = create(tmp_path / "store")
    with store.writer(0), pytest.raises(BlockingIOError, match=r"Chunk 0 of .* another process"):
        OrbitStore(store.path).writer(0).__enter__()
    with store.writer(0) as writer:  # free again
        assert writer.pending_images == [0, 1, 2]


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


def test_a_flipped_byte_is_found_named_and_mended(tmp_path):
    store = fill(create(tmp_path / "store"))
    whole = contents(store.path)
    for name in ("chunk-00001.npy", "chunk-00001.positions.npy"):
        flip(store.path / name, -1)
        report = store.verify()
        assert not report.ok
        last = store.writer(1).pending_images[-1]
        assert report.damaged_images == (last,)
        assert "chunk-00001.npy" in report.problems[0]
        assert f"image {last} ('photo {last}.jpg')" in report.problems[0]
        store.discard(report.damaged_images)
        assert store.pending_images() == [last]
        assert fill(store).verify().ok
        assert contents(store.path) == whole


def test_every_single_byte_counts(tmp_path):
    """Whatever byte of whatever file changes, verify or opening says so."""
    store = fill(create(tmp_path / "store", n=2))
    rng = np.random.default_rng(0)
    for name, data in contents(store.path).items():
        for at in rng.choice(len(data), 40):
            flip(store.path / name, int(at))
            try:
                report = OrbitStore(store.path).verify()
                seen = not report.ok or report.n_pending
            except (ValueError, OSError):
                seen = True
            # padding of the arrays' headers and JSON's spelling of keys have no meaning
            assert seen or (name.endswith(".npy") and at < 128), (name, at)
            (store.path / name).write_bytes(data)


def test_truncated_and_missing_shards_are_named(tmp_path):
    store = fill(create(tmp_path / "store"))
    shard = store.path / "chunk-00001.npy"
    os.truncate(shard, shard.stat().st_size - 1)
    (problem,) = store.verify().problems
    assert "chunk-00001.npy is damaged: it has" in problem
    with pytest.raises(ValueError, match=r"chunk-00001\.npy is damaged"):
        np.asarray(OrbitStore(store.path))
    shard.unlink()
    report = store.verify()
    assert "chunk-00001.npy is missing" in report.problems[0]
    store.discard(report.damaged_images)
    assert fill(store).verify().ok


def test_a_damaged_journal_is_named(tmp_path):
    store = fill(create(tmp_path / "store"))
    journal = store.path / "chunk-00000.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([lines[0], "rubbish\n", *lines[2:]]))
    (problem,) = store.verify().problems
    assert "chunk-00000.jsonl is damaged in line 2. Remove that line" in problem
    journal.write_text("".join([lines[0], *lines[2:]]))
    assert OrbitStore(store.path).pending_images() == [1]


class TestTheManifest:
    @pytest.fixture
    def manifest(self, tmp_path):
        return create(tmp_path / "store").path / "manifest.json"

    def fails(self, manifest, message):
        with pytest.raises(ValueError, match=message):
            OrbitStore(manifest.parent)

    def test_a_changed_value(self, manifest):
        manifest.write_text(manifest.read_text().replace("photo 1", "photo 9"))
        self.fails(manifest, r"manifest\.json is damaged: .* checksum")

    def test_a_truncated_file(self, manifest):
        manifest.write_text(manifest.read_text()[:50])
        self.fails(manifest, r"manifest\.json is damaged: it is not JSON")

    def test_a_newer_version(self, manifest):
        content = json.loads(manifest.read_text()) | {"format_version": 7, "version": "9.1"}
        manifest.write_text(json.dumps(content))
        self.fails(manifest, r"format version 7, written by sklearn_groupcross 9\.1; .* version 1")

    def test_something_else(self, manifest):
        manifest.write_text("[]")
        self.fails(manifest, "not the manifest of an orbit store")

    def test_no_store(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="No orbit store at"):
            OrbitStore(tmp_path)


class TestFullAndReadOnlyDisks:
    def test_space_is_claimed_before_writing(self, tmp_path, monkeypatch):
        store = create(tmp_path / "store")
        before = contents(store.path)

        def no_space(descriptor, offset, length):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "posix_fallocate", no_space, raising=False)
            with pytest.raises(OSError, match=r"No space left on device.*chunk-00000\.npy"):
                fill(store)
        assert contents(store.path) == before
        assert fill(store).verify().ok  # the lock is free, and work goes on

    def test_a_disk_that_fills_while_writing(self, tmp_path, monkeypatch):
        store = fill(create(tmp_path / "store"), at_most=1)

        def no_space(file, offset, array):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("sklearn_groupcross.orbits._store_writer.write_at", no_space)
            with pytest.raises(OSError, match="No space left"):
                fill(store)
        assert store.verify().n_verified == 1
        assert fill(store).verify().ok

    @pytest.fixture
    def read_only_store(self):
        """A complete store in a folder that this process may read and not write."""
        folder = Path(tempfile.mkdtemp())  # pytest's folders are closed to other users
        store = fill(create(folder / "store"))
        store.append(images(2, first=12))
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        if is_root:
            for path in (folder, *folder.rglob("*")):  # to read, whatever the umask was
                os.chown(path, 65534, -1)
        for path in (folder, store.path):
            path.chmod(0o555)
        if is_root:
            os.seteuid(65534)  # root may write anywhere
        try:
            yield store.path
        finally:
            if is_root:
                os.seteuid(0)
            for path in (folder, store.path):
                path.chmod(0o755)
            shutil.rmtree(folder)

    def test_a_read_only_store_is_readable_and_says_that_it_cannot_be_written(
        self, read_only_store
    ):
        store = OrbitStore(read_only_store, allow_incomplete=True)
        assert store[0].shape == (6, 10)
        assert store.verify().ok
        for write in (lambda: fill(store), lambda: store.append(images(1, first=20))):
            with pytest.raises(PermissionError, match=re.escape(str(read_only_store))):
                write()


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
