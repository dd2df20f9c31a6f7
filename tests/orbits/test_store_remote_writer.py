"""Writers that upload: what is there when, of two at once, and of killed ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from sklearn_groupcross import OrbitStore
from sklearn_groupcross.orbits import _store_remote_writer
from sklearn_groupcross.orbits._store_remote import RemoteFolder
from tests.orbits.stores import create, expected, fill, images, rows_of


def write(writer, image):
    writer.write(image, *rows_of(image, writer.n_rows(image)))


def write_one_and_stop(chunk_writer):
    with suppress(KeyboardInterrupt), chunk_writer as writer:
        write(writer, writer.pending_images[0])
        raise KeyboardInterrupt


@pytest.fixture
def uploads(monkeypatch):
    """Names of objects in the order in which they are written."""
    names: list[str] = []
    upload, put = RemoteFolder.upload, RemoteFolder.write
    monkeypatch.setattr(
        RemoteFolder, "upload", lambda f, n, file: (names.append(n), upload(f, n, file))
    )
    monkeypatch.setattr(
        RemoteFolder, "write", lambda f, n, data: (names.append(n), put(f, n, data))
    )
    return names


THREE = ["chunk-00000.npy", "chunk-00000.positions.npy", "chunk-00000.jsonl"]


class TestUploads:
    def test_a_chunk_when_it_is_complete_with_its_journal_last(self, remote, uploads):
        store = remote.create()
        uploads.clear()
        with store.writer(0) as writer:
            write(writer, 0)
            write(writer, 1)
            assert uploads == []
            write(writer, 2)
            assert uploads == THREE
            assert store.pending() == [1, 2, 3]
        assert uploads == THREE

    def test_what_is_written_at_the_end_also_of_an_error(self, remote, uploads):
        store = remote.create()
        uploads.clear()
        write_one_and_stop(store.writer(0))
        assert uploads == THREE
        assert store.pending_images()[:2] == [1, 2]
        with store.writer(0) as writer:
            assert writer.pending_images == [1, 2]
        assert uploads == THREE  # nothing was added
        assert fill(store).verify().ok

    def test_what_is_written_every_so_often(self, remote, uploads, monkeypatch):
        monkeypatch.setattr(_store_remote_writer, "UPLOAD_INTERVAL", 0.0)
        store = remote.create()
        uploads.clear()
        with store.writer(0) as writer:
            write(writer, 0)
            assert uploads == THREE
            assert OrbitStore(store.path, storage_options=remote.options).pending_images()[0] == 1

    def test_an_upload_that_fails_leaves_what_was_there(self, remote, monkeypatch):
        store = fill(remote.create(), at_most=1)

        def fail(folder, name, file):
            raise OSError("no route to host")

        with monkeypatch.context() as patch:
            patch.setattr(RemoteFolder, "upload", fail)
            with pytest.raises(OSError, match="no route to host"):
                fill(store)
        assert store.verify().n_verified == 1
        assert fill(store).verify().ok

    def test_files_here_go(self, remote, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        fill(remote.create())
        assert not list(tmp_path.glob("groupcross-*"))


def test_of_two_writers_of_a_chunk_the_first_to_upload_stays(remote):
    store = remote.create()
    with store.writer(0) as late:
        write(late, 0)
        fill(store, [0])
        write(late, 1)
        with pytest.raises(BlockingIOError, match=r"Another process has written images of chunk 0"):
            write(late, 2)
    assert store.verify().n_verified == 3
    assert fill(store).verify().ok
    np.testing.assert_array_equal(store, expected(store)[0])


def slow_images(url, options):
    return create(
        url, images=images(40, rows=20), chunk_bytes=8 * 20 * 120, storage_options=options
    )


def fill_slowly(url, address):
    """What is killed: uploads after every image, so that kills come within uploads too."""
    _store_remote_writer.UPLOAD_INTERVAL = 0.0
    fill(slow_images(url, {"endpoint_url": address}))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("remote", ["s3"], indirect=True)
@pytest.mark.parametrize("n_kills", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_killed_and_resumed_it_is_that_of_a_folder_to_the_bit(remote, tmp_path, n_kills):
    here = fill(slow_images(tmp_path / "store", None))
    url, address = f"{remote.url}/killed.orbits", str(remote.options["endpoint_url"])
    store = slow_images(url, remote.options)
    n_there = 0
    for kill in range(n_kills):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.orbits.test_store_remote_writer", url, address],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        goal = n_there + 3 + kill
        while len(store.images) - len(store.pending_images()) < goal:
            assert child.poll() is None
            time.sleep(0.02)
        child.kill()
        child.wait()
        report = store.verify()
        assert report.ok, str(report)
        assert report.n_verified >= goal
        n_there = report.n_verified
    assert n_there < 40  # or no kill came in the midst of work
    fill(store)
    assert store.verify().ok
    assert store.digest() == here.digest()
    np.testing.assert_array_equal(
        OrbitStore(url, storage_options=remote.options, cache_dir=tmp_path / "cache"), here
    )


if __name__ == "__main__":
    fill_slowly(*sys.argv[1:])
