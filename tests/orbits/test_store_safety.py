"""What becomes of a store when processes die, disks fill and bytes change."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sklearn_groupcross import OrbitStore
from tests.orbits.stores import contents, create, fill, images, many_images


def in_processes(what, path):
    """Run tests/orbits/stores.py, which starts processes: pytest's own process has threads."""
    command = [sys.executable, "-m", "tests.orbits.stores", what, str(path)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.slow
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
