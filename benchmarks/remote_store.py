"""`fit` from a server that speaks as S3 does, against `fit` from a folder.

    python benchmarks/remote_store.py --megabytes 256 --rounds 3 --ways cold warm
    python benchmarks/remote_store.py --megabytes 4 --rounds 1 --ways half none

Writes one store of random orbits to a folder and to a server on this machine (of moto, in a process
of its own), and fits both in turn: the folder, the server with an empty cache, with a warm one,
with a cache of half of the store, and without. A server on this machine has no way to go, and
shares its cores with the fit; moto answers slower than storage does. What counts are the ratios of
one run, and the bytes and requests, which are printed as well.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from fsspec.core import url_to_fs
from measuring import processor, spread

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitStore
from sklearn_groupcross.orbits import StoredImage
from sklearn_groupcross.orbits._extract import choose_chunk_bytes
from sklearn_groupcross.orbits._store_remote import RemoteFolder
from tests.orbits.s3_server import ENVIRONMENT, serving

GROUP, N_CHANNELS, N_ROWS = Dihedral(8), 128, 50


class Requests:
    """Counts what is asked for."""

    def __init__(self) -> None:
        self.n_whole = self.n_parts = self.n_bytes = 0
        download, ranges = RemoteFolder.download, RemoteFolder.read_ranges

        def counted_download(folder: RemoteFolder, name: str, file: Path) -> None:
            download(folder, name, file)
            self.n_whole += 1
            self.n_bytes += file.stat().st_size

        def counted_ranges(folder: RemoteFolder, name: str, starts: list, stops: list) -> list:
            self.n_parts += len(starts)
            self.n_bytes += sum(stops) - sum(starts)
            return ranges(folder, name, starts, stops)

        RemoteFolder.download = counted_download  # type: ignore[method-assign]
        RemoteFolder.read_ranges = counted_ranges  # type: ignore[method-assign]


def fill(store: OrbitStore) -> OrbitStore:
    rng = np.random.default_rng(0)
    for chunk in store.pending():
        with store.writer(chunk) as writer:
            for image in writer.pending_images:
                orbits = rng.standard_normal((N_ROWS, GROUP.order, N_CHANNELS), dtype=np.float32)
                writer.write(image, np.maximum(orbits, 0), np.zeros((N_ROWS, 2)))
    return store


def seconds_of_fit(store: OrbitStore) -> float:
    crosscoder = GroupCrosscoder(
        GROUP, n_features=256, activation="topk", k=16, max_epochs=2, random_state=0
    )
    start = time.perf_counter()
    crosscoder.fit(store)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--ways", nargs="+", default=["cold", "warm"], choices=["cold", "warm", "half", "none"]
    )
    options = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    n_bytes = options.megabytes * 2**20
    n_images = n_bytes // (N_ROWS * GROUP.order * N_CHANNELS * 2)
    images = [StoredImage(f"{i}.jpg", str(i), N_ROWS) for i in range(n_images)]
    settings = {"group": GROUP, "n_channels": N_CHANNELS, "images": images}
    settings["chunk_bytes"] = choose_chunk_bytes(n_bytes, is_remote=True)
    requests = Requests()
    with tempfile.TemporaryDirectory() as folder, serving() as address:
        url, storage = "s3://bucket/a.orbits", {"endpoint_url": address}
        url_to_fs("s3://bucket", **storage)[0].mkdir("bucket")
        start = time.perf_counter()
        here = fill(OrbitStore.create(Path(folder) / "a.orbits", **settings))
        written = time.perf_counter() - start
        start = time.perf_counter()
        fill(OrbitStore.create(url, storage_options=storage, **settings))
        print(
            f"{processor()}; {len(here)} orbits, {options.megabytes} MiB, {len(here._files)} chunks"
        )
        print(f"written at {written / (time.perf_counter() - start):.2f} of the folder's speed")
        cache = Path(folder) / "cache"
        ratios: dict[str, list[float]] = {way: [] for way in options.ways}
        seconds_of_fit(here)
        for _ in range(options.rounds):
            for way in options.ways:
                cache_bytes = {"half": n_bytes // 2, "none": 0}.get(way, 2**40)
                if way != "warm":
                    shutil.rmtree(cache, ignore_errors=True)
                requests.n_whole = requests.n_parts = requests.n_bytes = 0
                plain = seconds_of_fit(here)
                start = time.perf_counter()
                store = OrbitStore(
                    url, storage_options=storage, cache_dir=cache, cache_bytes=cache_bytes
                )
                opened = time.perf_counter() - start
                took = seconds_of_fit(store) + opened
                ratios[way].append(plain / took)
                print(
                    f"{way:5} {took:7.1f} s, folder {plain:6.1f} s; {requests.n_whole} objects "
                    f"and {requests.n_parts} parts, {requests.n_bytes / 2**20:.0f} MiB",
                    flush=True,
                )
    for way, values in ratios.items():
        print(f"{way:5} {spread(values, 2)} of the folder's speed")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
