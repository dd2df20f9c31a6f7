"""Memory that a fit from a store larger than one would want to hold takes.

    python benchmarks/streaming_memory.py FOLDER [--gigabytes 10] [--atoms 512] \\
        [--activation topk] [--compression 0.9]

Writes a float16 store of synthetic orbits (32 blocks of 480 channels) to FOLDER, if it is not there
already, and fits one epoch from a memory map of it. A thread samples the process's anonymous
resident memory (RssAnon of /proc/self/status: what the system cannot drop, unlike the pages of the
mapped file). Printed: its peak, and the bound of model, gradients and optimiser (16 bytes a weight)
plus 1.5 GB.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from measuring import GIGA, Peak, anonymous_bytes, processor

from sklearn_groupcross import Dihedral, GroupCrosscoder

GROUP, N_CHANNELS = Dihedral(16), 480


def write_store(file: Path, n_rows: int) -> None:
    """Sparse non-negative rows, every one different, a thousand at a time."""
    rng = np.random.default_rng(0)
    shape = (n_rows, GROUP.order, N_CHANNELS)
    store = np.lib.format.open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
    base = np.maximum(rng.standard_normal((1000, *shape[1:])), 0).astype(np.float16)
    for start in range(0, n_rows, 1000):
        part = store[start : start + 1000]
        part[:] = np.roll(base, rng.integers(N_CHANNELS), axis=2)[: len(part)]
        part[:, 0, 0] = rng.random(len(part))
    store.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--atoms", type=int, default=512)
    parser.add_argument("--activation", default="relu")
    parser.add_argument("--compression", type=float)
    options = parser.parse_args()
    print(processor())
    n_rows = round(options.gigabytes * GIGA / (2 * GROUP.order * N_CHANNELS))
    file = options.folder / f"store-{n_rows}.npy"
    if not file.exists():
        write_store(file, n_rows)
    before = anonymous_bytes()
    peak = Peak()
    peak.start()
    start = time.perf_counter()
    crosscoder = GroupCrosscoder(
        group=GROUP,
        n_features=options.atoms,
        activation=options.activation,
        compression=options.compression,
        max_epochs=1,
        random_state=0,
        verbose=1,
    ).fit(np.load(file, mmap_mode="r"))
    peak.going = False
    weights = sum(
        array.size for array in (crosscoder.components_, crosscoder.encoder_, crosscoder.intercept_)
    )
    bound = 16 * weights + 1.5 * GIGA
    print(f"store: {file.stat().st_size / GIGA:.1f} GB, {n_rows} orbits, float16")
    print(f"anonymous memory before fit: {before / GIGA:.2f} GB")
    print(f"model, gradients, optimiser: {16 * weights / GIGA:.2f} GB ({options.atoms} atoms)")
    print(f"peak in fit: {peak.bytes / GIGA:.2f} GB; bound: {bound / GIGA:.2f} GB")
    print(f"{crosscoder.n_steps_} steps in {time.perf_counter() - start:.0f} s, the check included")


if __name__ == "__main__":
    main()
