"""A store of very many images: files, seconds an image, memory, and how long it takes to open.

    python benchmarks/many_images.py --images 100000
    python benchmarks/many_images.py --images 1000000 --only-open

First the number of files and their size that extraction chooses, for stores of 10^3 to 10^7 images
of 80 orbits over `Dihedral(32)` with 480 channels, here and behind a URL. Then as many tiny images
as are asked for go through `OrbitDataset.extract`, with a network of one layer, or with `--bundled`
through the bundled one; `--files` writes them as PNG files first. The store is opened in a new
process, which says how long it took and its memory; with `--only-open` it is one of a tiny orbit an
image in chunks of 1,000 images, written by hand; `--profile` prints what extraction spent its
time on.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sklearn_groupcross import (
    Cyclic,
    Dihedral,
    Network,
    OrbitDataset,
    OrbitStore,
    load_network,
)
from sklearn_groupcross.orbits import StoredImage
from sklearn_groupcross.orbits._extract import choose_chunk_bytes
from sklearn_groupcross.orbits._store_format import Manifest

# Bytes of the orbits of one image: 80 positions, 64 elements, 480 channels, float16.
AN_IMAGE = 80 * 64 * 480 * 2

OPENING = """
import resource, sys, time
import numpy as np
from sklearn_groupcross import OrbitStore
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
store = OrbitStore(sys.argv[1])
n = len(store)
opened = time.perf_counter() - start
start = time.perf_counter()
store[np.random.default_rng(0).integers(0, n, 512)]
rows = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(f"opened in {opened:.2f} s, 512 random rows in {rows:.2f} s, "
      f"{peak / 1024:.0f} MB beyond the imports")
"""


def files_of(n_images: int, is_remote: bool) -> tuple[int, int]:
    """Number of files of a store, and bytes of a chunk."""
    chunk_bytes = choose_chunk_bytes(n_images * AN_IMAGE, is_remote)
    n_chunks = -(-n_images // max(1, chunk_bytes // AN_IMAGE))
    return 3 * n_chunks + 1, chunk_bytes


def print_files() -> None:
    print(
        f"{'images':>10} {'GB':>9} | {'files':>7} {'MiB a chunk':>11} | {'objects':>8} {'MiB':>6}"
    )
    for exponent in range(3, 8):
        here, there = files_of(10**exponent, False), files_of(10**exponent, True)
        print(
            f"{10**exponent:10} {10**exponent * AN_IMAGE / 1e9:9.0f} | {here[0]:7} "
            f"{here[1] / 2**20:11.0f} | {there[0]:8} {there[1] / 2**20:6.0f}"
        )


def tiny_network() -> Network:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())
    return Network(module, input_size=16, default_layer="1")


def write_files(images: np.ndarray, folder: Path) -> Path:
    for start in range(0, len(images), 1000):
        part = folder / f"{start:07d}"
        part.mkdir(parents=True)
        for i, image in enumerate(images[start : start + 1000], start=start):
            Image.fromarray(image).save(part / f"{i:07d}.png")
    return folder


def written_by_hand(n_images: int, path: Path) -> None:
    images = [
        StoredImage(f"ILSVRC2012_val_{i:08d}.JPEG", sha256(str(i).encode()).hexdigest(), 1)
        for i in range(n_images)
    ]
    store = OrbitStore.create(
        path, group=Cyclic(2), n_channels=1, images=images, chunk_bytes=4 * 1000
    )
    for chunk in store.pending():
        with store.writer(chunk) as writer:
            n_rows = len(numbers := writer.pending_images)
            writer.write_run(numbers, np.ones((n_rows, 2, 1)), np.zeros((n_rows, 2)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--positions", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--bundled", action="store_true", help="a real network, of 96 px")
    parser.add_argument("--files", action="store_true", help="PNG files rather than one array")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--only-open", action="store_true")
    options = parser.parse_args()
    if options.only_open:
        with tempfile.TemporaryDirectory() as folder:
            written_by_hand(options.images, path := Path(folder) / "many.orbits")
            subprocess.run([sys.executable, "-c", OPENING, str(path)], check=True)
        return
    print_files()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (options.images, 24, 24, 3), dtype=np.uint8)
    network = load_network("bundled") if options.bundled else tiny_network()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        source = write_files(images, Path(folder) / "images") if options.files else images
        start = time.perf_counter()
        dataset = OrbitDataset(
            source, network=network, group=Dihedral(4), n_positions=options.positions
        )
        made = time.perf_counter() - start
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        path = Path(folder) / "many.orbits"
        profile = cProfile.Profile()
        start, computed = time.perf_counter(), time.process_time()
        if options.profile:
            profile.enable()
        dataset.extract(path, n_jobs=options.jobs)
        profile.disable()
        took, computed = time.perf_counter() - start, time.process_time() - computed
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        files = [file for file in path.iterdir() if file.suffix != ".lock"]
        size = sum(file.stat().st_size for file in files)
        print(
            f"{options.images} images: {len(files)} files, {size / 1e6:.0f} MB, manifest of "
            f"version {Manifest.read(path).format_version}; dataset made in {made:.1f} s, "
            f"extracted in {took:.0f} s, {1000 * took / options.images:.2f} ms an image, of which "
            f"{1000 * computed / options.images:.2f} of processor, {peak / 1024:.0f} MB beyond the "
            "images"
        )
        subprocess.run([sys.executable, "-c", OPENING, str(path)], check=True)
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
