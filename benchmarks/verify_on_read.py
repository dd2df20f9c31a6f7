"""What it costs to compare a store with its checksums while it is read.

    python benchmarks/verify_on_read.py FOLDER [--orbits 40000] [--repetitions 3]

Writes float16 orbits like a network's (Dihedral(8), 96 channels, 80 a photograph) to FOLDER, then
reads all rows in shuffled batches of 512 as `GroupCrosscoder` does, twice over, with and without
`verify_on_read`, in turn; then fits a small crosscoder for two passes each way. Printed: medians of
the seconds of the first and the second pass, and of the fits. Pages are in memory: from a slow disk
the same seconds are added to more.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from measuring import processor

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitStore
from sklearn_groupcross.orbits import StoredImage

GROUP, N_CHANNELS, ROWS_AN_IMAGE, BATCH = Dihedral(8), 96, 80, 512


def write(path: Path, n_orbits: int) -> None:
    """A store of half zeros."""
    n_images = n_orbits // ROWS_AN_IMAGE
    store = OrbitStore.create(
        path,
        group=GROUP,
        n_channels=N_CHANNELS,
        images=[StoredImage(str(i), str(i), ROWS_AN_IMAGE) for i in range(n_images)],
    )
    rng = np.random.default_rng(0)
    shape = (ROWS_AN_IMAGE, GROUP.order, N_CHANNELS)
    for chunk in store.pending():
        with store.writer(chunk) as writer:
            for image in writer.pending_images:
                orbits = np.maximum(rng.standard_normal(shape, dtype=np.float32), 0)
                writer.write(image, orbits, np.zeros((ROWS_AN_IMAGE, 2)))


def read_all(store: OrbitStore) -> float:
    """Seconds of one pass over shuffled batches."""
    order = np.random.default_rng(1).permutation(len(store))
    start = time.perf_counter()
    for first in range(0, len(order), BATCH):
        store[np.sort(order[first : first + BATCH])]
    return time.perf_counter() - start


def fit(store: OrbitStore) -> float:
    """Seconds of two passes of a small fit."""
    crosscoder = GroupCrosscoder(
        GROUP, n_features=64, activation="topk", k=8, max_epochs=2, random_state=0, device="cpu"
    )
    start = time.perf_counter()
    crosscoder.fit(store)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--orbits", type=int, default=40_000)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    print(processor())
    path = options.folder / "verify_on_read.orbits"
    write(path, options.orbits)
    size = sum(file.stat().st_size for file in path.iterdir())
    times: dict[tuple[bool, str], list[float]] = {}
    for _ in range(options.repetitions):
        for verify in (False, True):
            store = OrbitStore(path, verify_on_read=verify)
            for name in ("first pass", "second pass"):
                times.setdefault((verify, name), []).append(read_all(store))
            store = OrbitStore(path, verify_on_read=verify)
            times.setdefault((verify, "fit of two passes"), []).append(fit(store))
    print(f"{options.orbits} orbits, {size / 2**20:.0f} MiB")
    for name in ("first pass", "second pass", "fit of two passes"):
        plain, verified = (statistics.median(times[verify, name]) for verify in (False, True))
        print(f"{name:18} {plain:.2f} s, with verify_on_read {verified:.2f} s")
    print(f"verify() of all: {seconds_of(OrbitStore(path).verify):.2f} s")


def seconds_of(function: object) -> float:
    """Of one call."""
    start = time.perf_counter()
    function()  # type: ignore[operator]
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
