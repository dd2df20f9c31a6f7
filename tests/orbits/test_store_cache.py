from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from sklearn_groupcross.orbits import _store_cache
from sklearn_groupcross.orbits._store_cache import ChunkCache, default_cache_dir


def filler(n_bytes, log=None):
    def fill(folder):
        if log is not None:
            log.append(n_bytes)
        (folder / "rows").write_bytes(b"x" * n_bytes)

    return fill


def size_of(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_what_was_used_least_recently_goes_and_the_bound_holds(tmp_path):
    cache = ChunkCache(tmp_path, 350)
    for key in "abc":
        cache.fetch(key, 100, filler(100))
        time.sleep(0.01)
    assert cache.find("a") == tmp_path / "a"
    time.sleep(0.01)
    assert not cache.has_room(100)
    cache.fetch("d", 100, filler(100))
    assert cache.find("b") is None
    assert all(cache.find(key) for key in "acd")
    cache.fetch("e", 300, filler(300))
    assert [key for key in "abcde" if cache.find(key)] == ["e"]
    assert size_of(tmp_path) <= 350


def test_what_is_there_is_not_filled_again(tmp_path):
    cache, log = ChunkCache(tmp_path / "new" / "cache", 1000), []
    for _ in range(3):
        folder = cache.fetch("a", 100, filler(100, log))
    assert log == [100]
    assert [file.name for file in folder.iterdir()] == ["rows"]


def test_several_who_want_the_same_fetch_it_once(tmp_path):
    log: list[int] = []

    def fill(folder):
        time.sleep(0.05)
        filler(10, log)(folder)

    threads = [
        threading.Thread(target=ChunkCache(tmp_path, 1000).fetch, args=("a", 10, fill))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log == [10]


def test_a_fetch_that_fails_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "rows").write_bytes(b"half")
        raise OSError("gone")

    cache = ChunkCache(tmp_path, 1000)
    with pytest.raises(OSError, match="gone"):
        cache.fetch("a", 100, fail)
    assert cache.find("a") is None
    assert cache.has_room(1000)


KILLED = """
import os, signal, sys
from pathlib import Path
from sklearn_groupcross.orbits._store_cache import ChunkCache

def fill(folder):
    (folder / "rows").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

ChunkCache(Path(sys.argv[1]), 250).fetch("a", 100, fill)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_fetch_is_taken_for_nothing_and_goes_when_room_is_needed(tmp_path):
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False).returncode < 0
    cache = ChunkCache(tmp_path, 250)
    assert cache.find("a") is None
    assert not cache.has_room(200)  # what it left is counted
    cache.fetch("a", 100, filler(100))
    time.sleep(0.01)
    cache.fetch("b", 100, filler(100))
    assert cache.find("a")
    assert cache.find("b")
    assert size_of(tmp_path) == 200


def test_room_is_taken_before_it_is_filled(tmp_path):
    cache = ChunkCache(tmp_path, 250)

    def fill(folder):
        assert not ChunkCache(tmp_path, 250).has_room(151)
        filler(100)(folder)

    cache.fetch("a", 100, fill)


def test_where_copies_lie_where_nothing_is_said():
    assert default_cache_dir().name == "orbits"
    assert _store_cache.CACHE_BYTES == 2**34
