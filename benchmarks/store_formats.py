"""How fast shuffled batches of orbits come from disk, by format, and whether compression pays.

    python benchmarks/store_formats.py FOLDER [--orbits FILE.npy] [--rows 4000] [--repetitions 3]

Writes the same float16 orbits to FOLDER in every format whose library is installed, then reads all
rows in shuffled batches of 512, increasing within a batch as `GroupCrosscoder` reads them, one
format after the other, some repetitions. "Cold" is after the system was asked to drop the files'
pages. Printed: size relative to plain numbers, and the median MB/s of what the batches hold.
zarr, pyarrow, h5py and numcodecs are not dependencies of the package: pip install them to compare.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measuring import processor
from tabulate import tabulate

from sklearn_groupcross import Cyclic, OrbitStore
from sklearn_groupcross.orbits import StoredImage

BATCH, ROWS_AN_IMAGE, CHUNK_ROWS = 512, 80, 64
Reader = Callable[[np.ndarray], np.ndarray]
FORMATS: dict[str, tuple[Callable[[Path, np.ndarray], None], Callable[[Path], Reader]]] = {}


def add(name, write, read):
    FORMATS[name] = (write, read)


def write_store(path, orbits):
    images = [
        StoredImage(str(i), hashlib.sha256(bytes([i % 256, i // 256])).hexdigest(), n)
        for i, n in enumerate(np.diff([*range(0, len(orbits), ROWS_AN_IMAGE), len(orbits)]))
    ]
    # only the number of elements matters here; chunks are small, so that there are many
    options = {"group": Cyclic(orbits.shape[1]), "n_channels": orbits.shape[2]}
    store = OrbitStore.create(path, images=images, chunk_bytes=8 * 2**20, **options)
    ends = np.cumsum([0, *(image.n_rows for image in images)])
    for chunk in store.pending():
        with store.writer(chunk) as writer:
            for image in writer.pending_images:
                rows = orbits[ends[image] : ends[image + 1]]
                writer.write(image, rows, np.zeros((len(rows), 2)))


def add_numpy():
    def write(path, orbits):
        with open(path, "wb") as file:
            np.save(file, orbits)

    def read(path):
        array = np.load(path, mmap_mode="r")
        return lambda rows: array[rows]

    add("OrbitStore", write_store, lambda path: OrbitStore(path).__getitem__)
    add(".npy memory map", write, read)


def add_zarr():
    import zarr
    from zarr.codecs import BloscCodec, ZstdCodec

    codecs = {"": None, ", zstd": ZstdCodec(), ", blosc bitshuffle lz4": BloscCodec(cname="lz4")}
    codecs[", blosc bitshuffle zstd"] = BloscCodec(cname="zstd", shuffle="bitshuffle")

    def writer(codec, chunk_rows):
        def write(path, orbits):
            array = zarr.create_array(
                path, shape=orbits.shape, dtype=orbits.dtype, compressors=codec,
                chunks=(chunk_rows, *orbits.shape[1:]),
            )  # fmt: skip
            array[:] = orbits

        return write

    def read(path):
        array = zarr.open_array(path, mode="r")
        return lambda rows: array.oindex[rows]

    for label, codec in codecs.items():
        add(f"zarr, {CHUNK_ROWS} rows a chunk{label}", writer(codec, CHUNK_ROWS), read)
    add("zarr, 1 row a chunk, zstd", writer(ZstdCodec(), 1), read)


def add_arrow():
    import pyarrow as pa

    def write(path, orbits):
        values = pa.array(orbits.reshape(-1))
        rows = pa.FixedSizeListArray.from_arrays(values, orbits[0].size)
        table = pa.table({"orbits": rows})
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
            out.write_table(table, max_chunksize=CHUNK_ROWS)

    def read(path):
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        return lambda rows: (
            table.take(pa.array(rows)).column(0).combine_chunks().flatten().to_numpy()
        )

    add("Arrow IPC, memory map", write, read)


def add_h5py():
    import h5py

    def writer(**options):
        def write(path, orbits):
            with h5py.File(path, "w") as file:
                file.create_dataset("orbits", data=orbits, **options)

        return write

    def read(path):
        dataset = h5py.File(path)["orbits"]
        return lambda rows: dataset[rows]

    add("HDF5, contiguous", writer(), read)
    add("HDF5, 1 row a chunk, lzf", writer(chunks=True, compression="lzf"), read)


def add_rows():
    """Every row compressed by itself: the least work that random access then needs."""
    import numcodecs

    def writer(codec):
        def write(path, orbits):
            packed = [codec.encode(np.ascontiguousarray(row)) for row in orbits]
            ends = np.cumsum([0, *map(len, packed)])
            np.savez(path.with_suffix(".npz"), ends=ends, shape=orbits.shape)
            path.write_bytes(b"".join(packed))

        return write

    def reader(codec):
        def read(path):
            with np.load(path.with_suffix(".npz")) as index:
                ends, shape = index["ends"], index["shape"]
            data = np.memmap(path, np.uint8, "r")

            def batch(rows):
                out = np.empty((len(rows), *shape[1:]), np.float16)
                for into, row in zip(out, rows, strict=True):
                    codec.decode(np.array(data[ends[row] : ends[row + 1]]), out=into)
                return out

            return batch

        return read

    blosc = numcodecs.Blosc("lz4", shuffle=numcodecs.Blosc.BITSHUFFLE)
    for label, codec in (("zstd", numcodecs.Zstd()), ("blosc bitshuffle lz4", blosc)):
        add(f"rows, {label}", writer(codec), reader(codec))


def add_mask():
    """A bit for every value that is not zero, and those values: what ReLU activations invite."""

    def write(path, orbits):
        flat = orbits.reshape(len(orbits), -1)
        path.write_bytes(flat[flat != 0].tobytes())
        ends = np.cumsum([0, *(flat != 0).sum(axis=1)])
        np.savez(path.with_suffix(".npz"), ends=ends, shape=orbits.shape)
        np.save(path.with_suffix(".mask.npy"), np.packbits(flat != 0, axis=1))

    def read(path):
        with np.load(path.with_suffix(".npz")) as index:
            ends, shape = index["ends"], index["shape"]
        masks = np.load(path.with_suffix(".mask.npy"), mmap_mode="r")
        data = np.memmap(path, np.float16, "r").view(np.ndarray)

        def batch(rows):
            out = np.zeros((len(rows), shape[1] * shape[2]), np.float16)
            mask = np.unpackbits(masks[rows], axis=1).view(bool)
            values = [data[ends[row] : ends[row + 1]] for row in rows]
            out[mask] = np.concatenate(values)
            return out.reshape(-1, *shape[1:])

        return batch

    add("rows, bit mask of zeros", write, read)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def drop_pages(folder: Path) -> None:
    os.sync()
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--orbits", type=Path, help="orbits (n, |G|, d) instead of made-up ones")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    print(processor())
    rng = np.random.default_rng(0)
    if options.orbits is None:
        orbits = np.maximum(rng.standard_normal((options.rows, 32, 480)), 0).astype(np.float16)
    else:
        orbits = np.load(options.orbits, mmap_mode="r")[: options.rows].astype(np.float16)
    print(f"{orbits.shape} float16, {orbits.nbytes / 1e6:.0f} MB, {np.mean(orbits == 0):.0%} zeros")
    for add_some in (add_numpy, add_zarr, add_arrow, add_h5py, add_rows, add_mask):
        try:
            add_some()
        except ImportError as error:
            print(f"skipped {add_some.__name__.removeprefix('add_')}: {error.name} is missing")
    can_drop = hasattr(os, "posix_fadvise")
    speeds: dict[str, dict[str, list[float]]] = {}
    for number, (name, (write, read)) in enumerate(FORMATS.items()):
        folder = options.folder / f"format-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write(folder / "orbits", orbits)
        assert np.array_equal(
            np.reshape(read(folder / "orbits")(np.arange(9)), orbits[:9].shape), orbits[:9]
        )
        speeds[name] = {"cold": [], "warm": []}
    for _ in range(options.repetitions):
        batches = np.array_split(rng.permutation(len(orbits)), -(-len(orbits) // BATCH))
        batches = [np.sort(batch) for batch in batches]
        for number, (name, (_, read)) in enumerate(FORMATS.items()):
            folder = options.folder / f"format-{number}"
            for state in ("cold", "warm") if can_drop else ("warm",):
                if state == "cold":
                    drop_pages(folder)
                start = time.perf_counter()
                reader = read(folder / "orbits")
                for batch in batches:
                    reader(batch)
                del reader
                seconds = time.perf_counter() - start
                speeds[name][state].append(orbits.nbytes / 1e6 / seconds)
    table = [
        (
            name,
            size_of(options.folder / f"format-{number}") / orbits.nbytes,
            *(np.median(values) if values else np.nan for values in speeds[name].values()),
        )
        for number, name in enumerate(FORMATS)
    ]
    headers = ("format", "size", "cold MB/s", "warm MB/s")
    print(tabulate(table, headers=headers, tablefmt="rst", floatfmt=("", ".2f", ".0f", ".0f")))
    for number in range(len(FORMATS)):
        shutil.rmtree(options.folder / f"format-{number}")


if __name__ == "__main__":
    main()
