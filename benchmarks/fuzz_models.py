"""Damaged and senseless files of models and checkpoints: are they refused, clearly and in bounds?

    python benchmarks/fuzz_models.py [--mutations 20000] [--every 1] [--seed 0] [--only load]

First every single bit (or one in so many; for `fit` one in eight times as many) of small files is
flipped; then random mutations are tried: bytes, truncations, splices, and changes of the JSON and
of the arrays under a digest that is right. Readers are `GroupCrosscoder.load`, and `fit` that goes
on from a checkpoint; --only names one of them. Printed for each: how many were

    refused      by a ValueError or an OSError that names the file,
    identical    accepted, with the content that was written first,
    as signed    accepted, with the changed content that the file says, under a right digest,
    other        accepted with content that nobody wrote: must be 0,
    exceptions   anything else raised: must be 0,
    too large    reads that took more than 4 MiB and 64 times the file's size: must be 0;

and the largest number of bytes that a read took. The process may take 2 GiB in all at any time.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder._tensor_file import _NO_DIGEST, _PLACE_OF_DIGEST, _sign
from sklearn_groupcross.crosscoder._trainer import Trainer

GROUP = Dihedral(3)
ORBITS = make_orbits(40, group=GROUP, n_channels=2, random_state=0).orbits
COLUMNS = ("refused", "identical", "as signed", "other", "exceptions", "too large")
SPARE, TIMES = 4 * 2**20, 64
DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]
SENSELESS: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 7, 70, 10**5, 10**9, 2**31, 2**63, 10**40, 0.5, -0.5, 1e308,
    -1e308, 5e-324, float("nan"), float("inf"), "", "x", "relu", "topk", "x" * 5000, [], [[]], {},
    [1, 2], {"a": 1}, DEEP, {"family": "Cyclic", "arguments": [6]},
    {"family": "Cyclic", "arguments": [10**5]}, {"family": "Symmetric", "arguments": [10**6]},
    {"family": "DirectProduct", "arguments": [{"family": "Cyclic", "arguments": [1000]}] * 2},
    {"family": "FiniteGroup", "arguments": [[[0] * 40] * 40]}, {"family": "FiniteGroup"},
]  # fmt: skip


def model(options: dict[str, Any]) -> GroupCrosscoder:
    common = {"group": GROUP, "n_features": 4, "max_epochs": 2, "batch_size": 20}
    return GroupCrosscoder(**{**common, "random_state": 0, "device": "cpu", **options})


MODELS: dict[str, dict[str, Any]] = {
    "topk": {"activation": "topk", "k": 2},
    "jumprelu": {"activation": "jumprelu", "encoder_input": "orbit"},
    "product": {"group": Cyclic(2) * Cyclic(3), "activation": "batch_topk", "k": 2},
}
CHECKPOINTS: dict[str, dict[str, Any]] = {
    "relu": {},
    "compressed": {
        "compression": 0.9, "activation": "topk", "k": 2, "early_stopping": True, "max_epochs": 3,
        "random_state": None,
    },
}  # fmt: skip


def stopped(options: dict[str, Any], folder: Path) -> Path:
    """Checkpoint of a run that was interrupted in its fourth step."""
    train_on = Trainer.train_on

    def interrupted(self: Trainer, batch: Any) -> None:
        if self.step == 2:
            signal.raise_signal(signal.SIGINT)
        train_on(self, batch)

    Trainer.train_on = interrupted  # type: ignore[method-assign]
    try:
        model({**options, "checkpoint_dir": folder}).fit(ORBITS)
    except KeyboardInterrupt:
        pass
    finally:
        Trainer.train_on = train_on  # type: ignore[method-assign]
    (file,) = folder.glob("*.safetensors")
    return file


def content_of(crosscoder: GroupCrosscoder) -> str:
    """Digest of all that a model holds."""
    digest = hashlib.blake2b()
    parameters = crosscoder.get_params()
    parameters.pop("checkpoint_dir")
    for name, value in sorted({**vars(crosscoder), **parameters}.items()):
        if name not in ("_trainer", "checkpoint_dir"):
            digest.update(f"{name} {value.shape if hasattr(value, 'shape') else value!r}".encode())
            if isinstance(value, np.ndarray) and value.dtype != object:
                digest.update(value.tobytes())
    return digest.hexdigest()


def load(file: Path, options: dict[str, Any]) -> GroupCrosscoder:
    return GroupCrosscoder.load(file)


def resume(file: Path, options: dict[str, Any]) -> GroupCrosscoder:
    content = file.read_bytes()
    try:
        return model({**options, "checkpoint_dir": file.parent}).fit(ORBITS)
    finally:
        file.write_bytes(content)  # a run that is done removes it


class Parts:
    """A file taken apart, to be put together otherwise."""

    def __init__(self, content: bytes) -> None:
        n = int.from_bytes(content[:8], "little")
        self.entries = json.loads(content[8 : 8 + n])
        self.metadata = self.entries.pop("__metadata__")
        self.header = json.loads(self.metadata["header"])
        self.arrays: dict[str, tuple[str, list[int], bytes]] = {
            name: (e["dtype"], e["shape"], content[8 + n :][slice(*e["data_offsets"])])
            for name, e in self.entries.items()
        }

    def write(self, file: Path, spoil: Callable[[dict[str, Any]], None] | None = None) -> bool:
        """Whether there was still a place for the digest."""
        header: dict[str, Any] = {
            "__metadata__": {
                **self.metadata,
                "checksums": _NO_DIGEST,
                "header": json.dumps(self.header, sort_keys=True),
            }
        }
        start = 0
        for name, (dtype, shape, content) in self.arrays.items():
            offsets = [start, start + len(content)]
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
            start += len(content)
        if spoil is not None:
            spoil(header)
        text = json.dumps(header, separators=(",", ":")).encode()
        data = b"".join(content for _, _, content in self.arrays.values())
        file.write_bytes(len(text).to_bytes(8, "little") + text + data)
        has_place = _PLACE_OF_DIGEST.search(text) is not None
        if has_place:
            _sign(file)
        return has_place


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(tree[key], (*path, key))


def mutate_tree(tree: Any, rng: random.Random) -> None:
    """Change one thing of a JSON value in place."""
    path = rng.choice(list(places(tree)))
    for key in path[:-1]:
        tree = tree[key]
    key, kind = path[-1], rng.random()
    if kind < 0.15:
        del tree[key]
    elif kind < 0.3 and isinstance(tree, dict):
        tree[rng.choice(["x", "transform", "k_", "__class__", key + "_"])] = tree.pop(key)
    elif kind < 0.4 and isinstance(tree, dict):
        tree[rng.choice(["transform", "fit", "_trainer", "\0"])] = copy.deepcopy(
            rng.choice(SENSELESS)
        )
    elif kind < 0.6 and isinstance(tree[key], int | float):
        tree[key] = rng.choice([-tree[key], tree[key] + 1, tree[key] * 10, float(tree[key])])
    else:
        tree[key] = copy.deepcopy(rng.choice(SENSELESS))


def mutate_array(parts: Parts, rng: random.Random) -> None:
    name = rng.choice(list(parts.arrays))
    dtype, shape, content = parts.arrays[name]
    kind = rng.randrange(7)
    if kind == 0:
        del parts.arrays[name]
    elif kind == 1:
        parts.arrays[rng.choice(["x", "transform", name + ".x"])] = parts.arrays.pop(name)
    elif kind == 2 and shape and shape[0]:  # a row less
        parts.arrays[name] = (
            dtype,
            [shape[0] - 1, *shape[1:]],
            content[: -len(content) // shape[0]],
        )
    elif kind == 3:
        parts.arrays[name] = (dtype, shape[::-1], content)
    elif kind == 4 and dtype in ("F32", "F64"):
        array = np.frombuffer(content, "<f4" if dtype == "F32" else "<f8").copy()
        if len(array):
            array[rng.randrange(len(array))] = rng.choice([np.nan, np.inf, -np.inf])
        parts.arrays[name] = (dtype, shape, array.tobytes())
    elif kind == 5:
        other = rng.choice(list(parts.arrays))
        parts.arrays[name], parts.arrays[other] = parts.arrays[other], parts.arrays[name]
    else:
        parts.arrays[name] = (
            rng.choice(["F16", "I64", "I32", "BOOL", "F32", "U8", "X"]),
            shape,
            content,
        )


def mutate(original: bytes, other: bytes, file: Path, rng: random.Random) -> bool:
    """Write a mutation of a file; whether its digest was made right again."""
    kind = rng.random()
    if kind < 0.4:
        content = bytearray(original)
        how = rng.randrange(5)
        if how == 0:
            for _ in range(rng.randint(1, 8)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        elif how == 1:
            del content[rng.randrange(len(content)) :]
        elif how == 2:  # a piece of another file
            at, length = rng.randrange(len(content)), rng.randint(1, 200)
            begin = rng.randrange(len(other))
            content[at : at + length] = other[begin : begin + length]
        elif how == 3:
            at = rng.randrange(len(content) + 1)
            content[at:at] = rng.randbytes(rng.randint(1, 64))
        else:  # what says how long the header is
            content[:8] = rng.choice([rng.randrange(2**64), 2**63, 0, len(content)]).to_bytes(
                8, "little"
            )
        file.write_bytes(content)
        return False
    parts = Parts(original)
    spoil = None
    if kind < 0.75:
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            mutate_tree(parts.header, rng)
    elif kind < 0.9:
        mutate_array(parts, rng)
    else:

        def spoil(header: dict[str, Any]) -> None:
            metadata = header["__metadata__"]
            kept = metadata["checksums"]
            mutate_tree(header, rng)
            header["__metadata__"] = {"checksums": kept, **dict(metadata)}
            if rng.random() < 0.2:
                header["__metadata__"][rng.choice(["format", "version", "x"])] = rng.choice(
                    ["", "1"]
                )

    return parts.write(file, spoil)


Reader = Callable[[Path, dict[str, Any]], GroupCrosscoder]


def judge(file: Path, read: Reader, options: dict[str, Any], expected: str, is_signed: bool) -> str:
    """Which of the columns a file belongs to."""
    try:
        found = read(file, options)
        codes = found.transform(ORBITS)
        if not np.isfinite(codes.data if found.sparse_output else codes).all():
            return "other"
        if content_of(found) == expected:
            return "identical"
        return "as signed" if is_signed else "other"
    except (ValueError, OSError) as error:
        if file.name in str(error) or "Training diverged" in str(error):
            return "refused"
        print(f"names no file: {error!r}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        shutil.copy(file, Path(tempfile.gettempdir()) / f"fuzz-{os.getpid()}-{file.name}")
    return "exceptions"


class Tally:
    """Counts of the columns, for one reader of one file."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.largest = 0

    def add(self, file: Path, *arguments: Any) -> None:
        """Read a file and count it."""
        bound = SPARE + TIMES * file.stat().st_size
        for _ in range(2):  # tables of Python's own grow now and then, but not twice
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            verdict = judge(file, *arguments)
            taken = tracemalloc.get_traced_memory()[1] - before
            if taken <= bound:
                break
        self.counts[verdict] += 1
        self.counts["too large"] += taken > bound
        self.largest = max(self.largest, taken)

    def show(self, name: str, seconds: float) -> None:
        counts = "  ".join(f"{column} {self.counts[column]}" for column in COLUMNS)
        print(
            f"{name}: {counts}  largest {self.largest / 2**20:.1f} MiB, {seconds:.0f} s", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
    with tempfile.TemporaryDirectory() as name:
        files = []
        for title, options in MODELS.items():
            file = Path(name) / f"{title}.safetensors"
            model(options).fit(ORBITS).save(file)
            files.append((f"load, model {title}", file, load, options))
        for title, options in CHECKPOINTS.items():
            for reader in (load, resume):
                folder = Path(name) / f"{title}-{reader.__name__}"
                file = stopped(options, folder)
                files.append((f"{reader.__name__}, checkpoint {title}", file, reader, options))
        files = [each for each in files if arguments.only in each[0]]
        originals = [file.read_bytes() for _, file, _, _ in files]
        expected = [content_of(read(file, options)) for _, file, read, options in files]
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
        limit = pages * resource.getpagesize() + 2 * 2**30
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        tracemalloc.start()
        for (title, file, read, options), content, want in zip(
            files, originals, expected, strict=True
        ):
            tally, start = Tally(), time.monotonic()
            # the reader beneath is the same; a fit takes longer
            step = arguments.every * (8 if read is resume else 1)
            for bit in range(0, 8 * len(content), step):
                changed = bytearray(content)
                changed[bit // 8] ^= 1 << bit % 8
                file.write_bytes(changed)
                tally.add(file, read, options, want, False)
            file.write_bytes(content)
            tally.show(f"{title}, bits of {len(content)} bytes", time.monotonic() - start)
        for (title, file, read, options), content, want in zip(
            files, originals, expected, strict=True
        ):
            tally, start, rng = Tally(), time.monotonic(), random.Random(arguments.seed)
            for _ in range(arguments.mutations):
                is_signed = mutate(content, rng.choice(originals), file, rng)
                tally.add(file, read, options, want, is_signed)
            file.write_bytes(content)
            tally.show(f"{title}, mutations", time.monotonic() - start)


if __name__ == "__main__":
    main()
