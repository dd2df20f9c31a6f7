"""Small stores with known rows; run as a script, processes that write or read one."""

from __future__ import annotations

import multiprocessing
import random
import sys
import threading
import time
from pathlib import Path

import numpy as np

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitStore
from sklearn_groupcross._stacks import _rows
from sklearn_groupcross.orbits import StoredImage

GROUP, N_CHANNELS = Dihedral(3), 10
ROW_BYTES = GROUP.order * N_CHANNELS * 2
# where there is fork, a child need not import everything again
METHODS = multiprocessing.get_all_start_methods()
PROCESSES = multiprocessing.get_context("fork" if "fork" in METHODS else "spawn")


def images(n, first=0, rows=None):
    return [
        StoredImage(f"photo {i}.jpg", f"digest-{i}", 3 + i % 4 if rows is None else rows)
        for i in range(first, first + n)
    ]


def rows_of(image, n_rows, dtype=np.float16):
    """Orbits and positions of an image, always the same."""
    rng = np.random.default_rng(image)
    orbits = rng.standard_normal((n_rows, GROUP.order, N_CHANNELS)).astype(dtype)
    return orbits, rng.uniform(-50, 50, (n_rows, 2)).astype(np.float32)


def create(path, n=12, **options):
    settings = {"group": GROUP, "n_channels": N_CHANNELS, "images": images(n)}
    settings |= {"metadata": {"network": "abc"}, "chunk_bytes": 15 * ROW_BYTES}
    return OrbitStore.create(path, **(settings | options))


def fill(store, chunks=None, at_most=None):
    """Write what is pending, in one chunk after the other."""
    written = 0
    for chunk in store.pending() if chunks is None else chunks:
        with store.writer(chunk) as writer:
            for image in writer.pending_images:
                if written == at_most:
                    return store
                writer.write(image, *rows_of(image, store.images[image].n_rows))
                written += 1
    return store


def expected(store):
    parts = [rows_of(i, image.n_rows) for i, image in enumerate(store.images)]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def contents(path):
    """Every file's bytes, but for locks."""
    return {p.name: p.read_bytes() for p in Path(path).iterdir() if p.suffix != ".lock"}


def many_images(path):
    return create(path, images=images(200, rows=20), chunk_bytes=60 * 20 * ROW_BYTES)


def fill_many_images(path):
    fill(many_images(path))


def killed_ten_times(path):
    """Print how many images were there after each of ten kills, and whether all were whole."""
    start = time.perf_counter()
    n_images = len(fill(many_images(path + "-whole")).images)
    an_image = (time.perf_counter() - start) / n_images
    draws = random.Random(0)
    n_there = 0
    for _ in range(10):
        child = PROCESSES.Process(target=fill_many_images, args=(path,))
        child.start()
        goal = n_there + draws.randrange(16)
        while count_lines(path) < goal:
            time.sleep(an_image / 10)
        time.sleep(draws.random() * 2 * an_image)  # anywhere within an image
        child.kill()
        child.join()
        report = many_images(path).verify()
        n_there = report.n_verified
        print(n_there, report.ok, flush=True)
    fill_many_images(path)


def count_lines(path):
    return sum(journal.read_bytes().count(b"\n") for journal in Path(path).glob("*.jsonl"))


def two_writers(path):
    """Print how two processes end that take whatever chunk is free."""
    many_images(path)
    writers = [PROCESSES.Process(target=fill_what_is_free, args=(path,)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    print(*(writer.exitcode for writer in writers))


def fill_what_is_free(path):
    store = OrbitStore(path)
    while pending := store.pending():
        for chunk in pending:
            try:
                fill(store, [chunk])
            except BlockingIOError:
                time.sleep(0.001)


def anonymous_bytes():
    """Memory that the system cannot drop, unlike the pages of mapped files."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) * 1024


def learned_from(path):
    """Fit 100,000 orbits of a store; print its bytes, and the most memory that the fit took."""
    group, n_channels, n_rows = Dihedral(4), 128, 500
    store = create(
        path, group=group, n_channels=n_channels, images=images(200, rows=n_rows), chunk_bytes=2**25
    )
    base = np.random.default_rng(0).random((n_rows, group.order, n_channels), dtype=np.float32)
    for chunk in store.pending():
        with store.writer(chunk) as writer:
            for image in writer.pending_images:
                writer.write(image, np.roll(base, image, axis=2), np.zeros((n_rows, 2)))
    _rows._BYTES_A_PASS = 2**22  # passes over the data are the estimator's, and not in question
    size = sum(file.stat().st_size for file in Path(path).glob("*.npy"))
    settings = {"n_features": 8, "max_epochs": 1, "random_state": 0}
    GroupCrosscoder(group, **settings).fit(store[:1000])  # what torch takes once
    peaks, going = [before := anonymous_bytes()], [True]

    def watch():
        while going:
            peaks.append(anonymous_bytes())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    GroupCrosscoder(group, **settings).fit(store)
    going.clear()
    watcher.join()
    print(size, max(peaks) - before)


if __name__ == "__main__":
    {"killed": killed_ten_times, "two": two_writers, "memory": learned_from}[sys.argv[1]](
        sys.argv[2]
    )
