"""Extraction killed at random moments: are results whole, is anything left, does anybody live on?

    python benchmarks/kill_extract.py --kills 20

`groupcross extract --jobs 2` is killed again and again (SIGKILL, SIGTERM and SIGHUP in turn), from
the moment it began until it would have ended, and goes on with the same store; a store that is
complete is followed by a new one. After each kill every process that it had started must end within
some seconds, and what the store holds must be right. When the loop is over, stores are finished:
their files are those of an extraction that nobody disturbed, with nothing beside them, nor in
/dev/shm. Then `OrbitDataset.as_array(path)` over an older file of that name: what lies there is the
old one or the new one, whole, and after a call that is not killed nothing lies beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from sklearn_groupcross import Dihedral, OrbitDataset, OrbitStore

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
# Seconds that workers have to see that their parent is gone, on a busy machine.
PATIENCE = 10.0
SHARED_MEMORY = Path("/dev/shm")


def make_images(folder: Path, n: int) -> None:
    """Smooth random pictures."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(n):
        picture = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        picture.resize((160, 160)).save(folder / f"{i:03d}.png")


def start(images: Path, store: Path) -> subprocess.Popen[bytes]:
    """The command in a process of its own; what it starts holds the other end of its output."""
    command = [sys.executable, "-m", "sklearn_groupcross", "extract", str(images)]
    options = ["--out", str(store), "--network", "bundled", "--group", "dihedral:16"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, *options, "--positions", "20", "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )


def seconds_until_all_ended(process: subprocess.Popen[bytes]) -> float:
    """Until the last process that inherited the output is gone; infinity if that takes too long."""
    begin = time.perf_counter()
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return float("inf")
    return time.perf_counter() - begin


def digests(store: Path) -> dict[str, str]:
    """Of every file but locks."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(store.iterdir())
        if path.suffix != ".lock"
    }


def shared_memory() -> set[str]:
    """Folders of joblib that are there."""
    return (
        {path.name for path in SHARED_MEMORY.glob("joblib_*")} if SHARED_MEMORY.is_dir() else set()
    )


def kill_extraction(folder: Path, n_kills: int, n_images: int) -> int:
    """How much is wrong."""
    images = folder / "images"
    make_images(images, n_images)
    began = time.perf_counter()
    whole = start(images, folder / "whole.orbits")
    output, _ = whole.communicate()
    duration = time.perf_counter() - began
    assert whole.returncode == 0, output.decode()
    wanted, before = digests(folder / "whole.orbits"), shared_memory()
    rng, bad, slowest, stores = random.Random(0), 0, 0.0, [folder / "0.orbits"]
    counts = []
    for kill in range(n_kills):
        process = start(images, stores[-1])
        try:
            process.wait(timeout=rng.uniform(0.3, 1.0) * duration)
        except subprocess.TimeoutExpired:
            process.send_signal(SIGNALS[kill % len(SIGNALS)])
            process.wait()
        took = seconds_until_all_ended(process)
        slowest, n_there = max(slowest, took), 0
        if (stores[-1] / "manifest.json").exists():
            report = OrbitStore(stores[-1]).verify()
            bad += not report.ok
            n_there = report.n_verified
        bad += took == float("inf")
        counts.append(n_there)
        if n_there == n_images:
            stores.append(folder / f"{len(stores)}.orbits")
    for store in stores:
        process = start(images, store)
        output, _ = process.communicate()
        bad += process.returncode != 0
        if digests(store) != wanted:
            print("differs:", store, set(digests(store).items()) ^ set(wanted.items()))
            bad += 1
    left = shared_memory() - before
    print(
        f"extract --jobs 2 ({duration:.0f} s alone): {n_kills} kills, images there after each "
        f"{counts}; workers ended within {slowest:.1f} s; {len(stores)} stores finished to the "
        f"same bytes; left in shared memory: {sorted(left)}; wrong: {bad + len(left)}",
        flush=True,
    )
    return bad + len(left)


def kill_as_array(folder: Path, n_kills: int) -> int:
    """How much is wrong."""
    dataset = OrbitDataset(folder / "images", network="bundled", group=Dihedral(4), n_positions=5)
    path = folder / "arrays" / "orbits.npy"
    path.parent.mkdir()
    began = time.perf_counter()
    new = np.array(dataset.as_array(path))
    duration = time.perf_counter() - began
    old = np.arange(10.0)
    rng, bad, ends = random.Random(1), 0, []
    for _ in range(n_kills):
        np.save(path, old)
        child = os.fork()
        if child == 0:
            dataset.as_array(path)
            os._exit(0)
        time.sleep(rng.uniform(0, 1.1) * duration)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = np.load(path)
        is_old, is_new = np.array_equal(found, old), np.array_equal(found, new)
        ends.append("new" if is_new else "old")
        bad += not (is_old or is_new)
    dataset.as_array(path)
    left = sorted(p.name for p in path.parent.iterdir() if p != path)
    bad += len(left) + (not np.array_equal(np.load(path), new))
    print(
        f"as_array(path) ({duration:.1f} s alone): {n_kills} kills, old file {ends.count('old')} "
        f"times and new one {ends.count('new')} times; left beside it: {left}; wrong: {bad}"
    )
    return bad


def main() -> None:
    """Run both loops."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--images", type=int, default=60)
    options = parser.parse_args()
    for number in SIGNALS[1:]:  # nohup has its own ignored by all that it starts
        signal.signal(number, signal.SIG_DFL)
    folder = Path(tempfile.mkdtemp())
    try:
        bad = kill_extraction(folder, options.kills, options.images)
        bad += kill_as_array(folder, options.kills)
    finally:
        shutil.rmtree(folder)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
