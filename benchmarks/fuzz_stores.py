"""Damaged stores and images: is another content accepted, is an error unclear, is memory wasted?

Manifests, journals, headers of arrays and image files are changed at random, small ones also in
every single bit, and read. It prints, for each kind, how many trials were refused, how many were
read as what they were, and three numbers that should be 0: contents that are wrong, errors that are
no ValueError or OSError naming the file, allocations above 32 MiB. Manifests and journals of a
fourth kind are changed in what they say and given right checksums: no content of theirs is wrong,
but errors must be clear all the same. Last, how many programs were started.

    python benchmarks/fuzz_stores.py --trials 20000

These are dear: a fifth of the trials is of this kind, and a tenth of each format of images.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sklearn_groupcross import Dihedral, OrbitStore
from sklearn_groupcross.orbits import ImageSource, StoredImage
from sklearn_groupcross.orbits._store_format import Manifest
from sklearn_groupcross.orbits._store_journal import _line
from sklearn_groupcross.orbits._store_schema import _checksum, parse_manifest

GROUP, N_CHANNELS = Dihedral(3), 5
# Of one trial, in bytes: reading takes a multiple of the file's size, and a group's table 8 MiB.
BOUND = 32 * 2**20
PROGRAMS = {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.spawn"}


def make_store(path: Path) -> OrbitStore:
    """Three images in two chunks."""
    rng = np.random.default_rng(0)
    images = [StoredImage(f"photo {i}.jpg", f"digest-{i}", 2 + i) for i in range(3)]
    store = OrbitStore.create(
        path,
        group=GROUP,
        n_channels=N_CHANNELS,
        images=images,
        metadata={"network": "abc", "layers": {"low": [0, 2], "high": [2, 5]}, "radius": 40.5},
        chunk_bytes=400,
    )
    for chunk in store.pending():
        with store.writer(chunk) as writer:
            for image in writer.pending_images:
                n_rows = writer.n_rows(image)
                orbits = rng.standard_normal((n_rows, GROUP.order, N_CHANNELS))
                writer.write(image, orbits, rng.uniform(-9, 9, (n_rows, 2)))
    return store


def flips(data: bytes) -> Iterator[bytes]:
    """Change every bit, one at a time."""
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            yield bytes(changed)


def mutations(data: bytes, n: int, seed: int) -> Iterator[bytes]:
    """Change, insert, remove, double and cut some bytes at a time."""
    rng = random.Random(seed)
    for _ in range(n):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
            at, length = rng.randrange(len(changed) + 1), rng.choice((1, 1, 2, 4, 16, 64))
            kind = rng.randrange(6)
            if kind == 0 and at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                changed[at : at + length] = rng.randbytes(length)
            elif kind == 2:
                start = rng.randrange(len(data))
                changed[at:at] = data[start : start + length]
            elif kind == 3:
                del changed[at : at + length]
            elif kind == 4:
                changed[at:at] = rng.choice(
                    (b"9" * length, b"-1", b"1e999", b"NaN", b"null", b"[" * 500, b'"\\ud800"')
                )
            elif rng.random() < 0.2:
                del changed[at:]
        yield bytes(changed)


class Trials:
    """Counts what became of trials of one kind, and prints it."""

    def __init__(self, label: str, bound: int = BOUND) -> None:
        self.label, self.bound = label, bound
        self.counts: Counter[str] = Counter()
        self.peak = 0
        self.examples: list[str] = []
        self.start = time.perf_counter()

    def run(self, read: Callable[[], bool], name: str) -> None:
        """Read once: True is the right content, False a wrong one."""
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            outcome = "right" if read() else "WRONG"
        except (ValueError, OSError) as error:
            outcome = "refused" if name in str(error) else "UNCLEAR"
            self.note(outcome, error)
        except Exception as error:
            outcome = "UNCLEAR"
            self.note(outcome, error)
        self.counts[outcome] += 1
        peak = tracemalloc.get_traced_memory()[1] - before
        self.peak = max(self.peak, peak)
        self.counts["TOO LARGE"] += peak > self.bound

    def note(self, outcome: str, error: Exception) -> None:
        """Keep an example."""
        if outcome == "UNCLEAR" and len(self.examples) < 5:
            self.examples.append(f"{type(error).__name__}: {str(error)[:300]}")

    def report(self) -> int:
        """Print the counts; how many there are of those that should be 0."""
        bad = [self.counts[name] for name in ("WRONG", "UNCLEAR", "TOO LARGE")]
        total = sum(self.counts[name] for name in ("right", "refused", "WRONG", "UNCLEAR"))
        print(
            f"{self.label:34} {total:6} trials: {self.counts['refused']:6} refused, "
            f"{self.counts['right']:5} right, {bad[0]} wrong, {bad[1]} unclear, {bad[2]} too "
            f"large (most {self.peak / 2**20:.1f} MiB); {time.perf_counter() - self.start:.0f} s",
            *self.examples,
            sep="\n    ",
            flush=True,
        )
        return sum(bad)


def fuzz_manifest(store: OrbitStore, n: int) -> int:
    """Its checksum is over all that it says."""
    path = store.path / "manifest.json"
    data, right, trials = path.read_bytes(), Manifest.read(store.path), Trials("manifest")
    for changed in (*flips(data), *mutations(data, n, 0)):
        trials.run(lambda c=changed: Manifest.of(parse_manifest(c, path), path) == right, str(path))
    return trials.report()


def fuzz_journal(store: OrbitStore, n: int) -> int:
    """Lines may be missed: their images are then pending."""
    journal, trials = store._files[0].journal, Trials("journal")
    data, right = journal.path.read_bytes(), journal.read()
    for changed in (*flips(data), *mutations(data, n, 1)):
        trials.run(
            lambda c=changed: journal.parse(c)[0].items() <= right.items(), journal.path.name
        )
    return trials.report()


def fuzz_header(store: OrbitStore, kind: str, n: int) -> int:
    """Of a ``.npy`` file; the rows behind it stay what they are."""
    files, trials = store._files[0], Trials(f"header of {kind}")
    path: Path = getattr(files, kind)
    whole, offset = path.read_bytes(), files.check(kind)
    rows = whole[offset:]
    for header in (*flips(whole[:offset]), *mutations(whole[:offset], n, 2)):
        path.write_bytes(header + rows)
        trials.run(lambda: files.open_array(kind).tobytes() == rows, str(path))
    path.write_bytes(whole)
    return trials.report()


def use(path: Path) -> bool:
    """Whatever a store is opened for."""
    store = OrbitStore(path, allow_incomplete=True, verify_on_read=True)
    repr(store), store.info(), store.verify(), store.pending(), store.image_ids
    np.asarray(store), store.positions
    for name in store.metadata.get("layers", {}):
        np.asarray(store.layer(name))
    return True


def other_value(value: Any, rng: random.Random) -> Any:
    """Another value, mostly of the same kind."""
    numbers = (0, 1, -1, 2, 7, 2**31, 2**40, 2**63, 2**64, 10**30, 0.5, 1e308, True)
    others = (*numbers, "", "x", None, [], {}, [[]], [0], {"family": "Dihedral"}, "9" * 5000)
    if isinstance(value, dict) and value and rng.random() < 0.7:
        key = rng.choice(list(value))
        changed = {**value, key: other_value(value[key], rng)}
        if rng.random() < 0.1:
            del changed[key]
        return changed
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        chosen = rng.randrange(3)
        if chosen == 0:
            return value[:at] + value[at + 1 :]
        if chosen == 1:
            return value[: at + 1] + value[at:]
        return [*value[:at], other_value(value[at], rng), *value[at + 1 :]]
    if isinstance(value, int) and rng.random() < 0.4:
        return value + rng.choice((-1, 1, 1000))
    return rng.choice(others)


def fuzz_sense(store: OrbitStore, n: int) -> int:
    """Change what a manifest and journals say, with checksums that are right."""
    rng, trials = random.Random(3), Trials("well-formed, with right checksums")
    path = store.path / "manifest.json"
    journals = [files.journal.path for files in store._files]
    whole = {file: file.read_bytes() for file in (path, *journals)}
    content = json.loads(whole[path])
    del content["checksum"]
    for _ in range(n):
        changed = content
        for _ in range(rng.choice((0, 1, 1, 2))):
            changed = other_value(changed, rng)
            changed = changed if isinstance(changed, dict) else content
        path.write_text(json.dumps(changed | {"checksum": _checksum(changed)}))
        if rng.random() < 0.3:
            journal = rng.choice(journals)
            line = json.loads(whole[journal].splitlines()[0])
            image = other_value(line["image"], rng)
            sha = other_value(line["sha256"], rng) if rng.random() < 0.3 else line["sha256"]
            journal.write_bytes(_line(image, sha) + whole[journal])
        trials.run(lambda: use(store.path), str(store.path))
        for file in (path, *journals):
            file.write_bytes(whole[file])
    return trials.report()


def image_files() -> dict[str, bytes]:
    """Small pictures of all formats that are read, and one of PostScript."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    files = {}
    for name in ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP"):
        content = io.BytesIO()
        picture.save(content, name)
        files[name] = content.getvalue()
    content = io.BytesIO()
    picture.save(content, "TIFF", compression="tiff_lzw")
    files["TIFF (LZW)"] = content.getvalue()
    files["EPS"] = (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"
    )
    return files


def fuzz_images(folder: Path, n: int) -> int:
    """Formats without checksums decode to other pixels: no content is wrong here."""
    path, bad = folder / "picture.png", 0
    path.touch()
    source = ImageSource([path])
    for name, data in image_files().items():
        trials = Trials(f"image, {name}", bound=2**40)
        for changed in mutations(data, n, 4):
            path.write_bytes(changed)
            trials.run(lambda: source.load(0, 16).shape == (3, 16, 16), str(path))
        bad += trials.report()
    return bad


def main() -> None:
    """Run all kinds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20_000)
    options = parser.parse_args()
    programs: list[str] = []
    sys.addaudithook(lambda event, _: programs.append(event) if event in PROGRAMS else None)
    warnings.simplefilter("ignore")  # Pillow warns of much that is damaged
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = make_store(folder / "store")
        tracemalloc.start()
        bad = fuzz_manifest(store, options.trials)
        bad += fuzz_journal(store, options.trials)
        bad += fuzz_header(store, "orbits", options.trials)
        bad += fuzz_header(store, "positions", options.trials)
        bad += fuzz_sense(store, options.trials // 5)
        tracemalloc.stop()
        tracemalloc.start(1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        bad += fuzz_images(folder, options.trials // 10)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"images grew the process by {grown:.0f} MiB at most")
    print(f"programs started: {len(programs)}; all that should be 0: {bad}")
    sys.exit(bool(bad or programs))


if __name__ == "__main__":
    main()
