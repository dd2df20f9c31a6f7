"""Damage weights files in many ways and read them: what happens other than a clear error?

    python benchmarks/fuzz_weights.py --mutations 20000

For each kind of file (of torch.save today, of torch.save before 2020, safetensors) it prints how
many damaged files were refused in words that name the file, how many were read (their content as it
was, or changed where the format has no checksum, or one that was made anew), how many ended in
another exception, asked for memory that was not there, ran code or killed the process, how many
were taken for a download whose hash is known, and by how much the memory of the process grew. Exits
with 1 if anything but the first two happened.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import multiprocessing
import os
import pickle
import random
import resource
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from sklearn_groupcross.networks import _weights

KINDS = {"zip": ".pth", "legacy": ".pth", "safetensors": ".safetensors"}
BATCH = 500


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def make_module() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def make_file(kind: str, module: nn.Module) -> bytes:
    state = {"state_dict": dict(module.state_dict()), "epoch": 3}
    if kind == "safetensors":
        return save({key: value.contiguous() for key, value in module.state_dict().items()})
    opened = io.BytesIO()
    torch.save(state, opened, _use_new_zipfile_serialization=kind == "zip")
    return opened.getvalue()


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(len(changed))
        what = rng.randrange(7)
        if what == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            changed[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif what == 2:
            del changed[at:]
        elif what == 3:
            del changed[at : at + rng.randrange(1, 40)]
        elif what == 4:
            changed[at:at] = rng.randbytes(rng.randrange(1, 40))
        elif what == 5:
            other = rng.randrange(len(changed))
            changed[at : at + 16] = changed[other : other + 16]
        else:
            width = rng.choice([2, 4, 8])
            value = rng.choice([0, 1, 2**31 - 1, 2**31, 2**40, 2**62, 2**63, 2**64 - 1])
            changed[at : at + width] = (value % 256**width).to_bytes(width, "little")
        if not changed:
            break
    return bytes(changed)


def mutate_archive(data: bytes, rng: random.Random, mark: str) -> bytes:
    """Damage records and write the archive anew, with checksums that fit."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as anew:
        records = archive.infolist()
        target = rng.choice([r.filename for r in records if r.filename.endswith(("pkl", "order"))
                             or "/data/" in r.filename] + [records[0].filename] * 8)  # fmt: skip
        for record in records:
            content = archive.read(record)
            if record.filename == target:
                content = mutate_pickle(content, rng, mark) if rng.random() < 0.9 else b""
            anew.writestr(record.filename, content)
            if rng.random() < 0.01:
                anew.writestr(record.filename + "x", content)
    return out.getvalue()


def mutate_pickle(data: bytes, rng: random.Random, mark: str) -> bytes:
    if rng.random() < 0.2:
        return pickle.dumps({"0.weight": Runs(mark)}, protocol=2)
    if rng.random() < 0.3:  # the same names, with other things behind them
        name = rng.choice(["posix\nmkdir", "builtins\nbytearray", "torch\nTensor", "torch\nzeros"])
        return data.replace(b"collections\nOrderedDict", name.encode(), 1)
    if rng.random() < 0.3:
        place = data.find(b"K", rng.randrange(len(data)))  # BININT1: a length becomes large
        large = b"\x8a\x05" + rng.choice([2**33, 2**36]).to_bytes(5, "little")
        return data[:place] + large + data[place + 2 :]
    return mutate_bytes(data, rng)


def mutate_header(data: bytes, rng: random.Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    name = rng.choice(list(header))
    entry = header[name]
    if not isinstance(entry, dict) or "shape" not in entry:
        return mutate_bytes(data, rng)
    value = rng.choice([-1, 0, 2**31, 2**62, 2**64, 1.5, None, "F32", [], {}, [0, 2**40], [1] * 70])
    entry[rng.choice(["dtype", "shape", "data_offsets"])] = value
    if rng.random() < 0.3:
        header[rng.choice(["__metadata__", "0.weight"])] = {"a": rng.choice(["b", 1, None])}
    text = json.dumps(header).encode()
    if rng.random() < 0.1:
        text = b'{"a":' * 100_000
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def mutate(kind: str, data: bytes, rng: random.Random, mark: str) -> tuple[bytes, bool]:
    """Damage a file; say whether a checksum of its format should tell."""
    if rng.random() < 0.5:
        return mutate_bytes(data, rng), kind == "zip"
    if kind == "zip":
        return mutate_archive(data, rng, mark), False
    changed = mutate_header(data, rng) if kind == "safetensors" else mutate_pickle(data, rng, mark)
    return changed, False


def read_batch(kind: str, first: int, n: int, folder: str, answers) -> None:
    """Read damaged files in a process of its own, which may be killed."""
    torch.manual_seed(0)
    module = make_module()
    data = make_file(kind, module)
    wanted = {key: value.clone() for key, value in module.state_dict().items()}
    path, mark = Path(folder) / f"weights{KINDS[kind]}", str(Path(folder) / "ran")
    _weights.cache_folder = lambda: Path(folder)
    digest = hashlib.sha256(data).hexdigest()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts: Counter[str] = Counter()
    for seed in range(first, first + n):
        damaged, has_checksum = mutate(kind, data, random.Random(f"{kind} {seed}"), mark)
        if damaged == data:
            counts["unchanged"] += 1
            continue
        path.write_bytes(damaged)
        outcome = read(module, path, wanted)
        counts[outcome + " against a checksum" * (has_checksum and "changed" in outcome)] += 1
        try:
            _weights.fetch("https://localhost:1", path.name, sha256=digest)
            counts["taken for the download"] += 1
        except ValueError as error:
            if str(path) not in str(error):
                counts["other exception"] += 1
        if os.path.exists(mark):
            counts["code ran"] += 1
            os.rmdir(mark)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    answers.put((counts, grown / 1024))


def read(module: nn.Module, path: Path, wanted: dict[str, torch.Tensor]) -> str:
    try:
        _weights.load_state(module, path, "fuzzed")
    except ValueError as error:
        if str(path) not in str(error):
            return "other exception"
        lack = "not enough memory" in str(error) or "MemoryError" in str(error)
        return "memory asked for" if lack else "refused"
    except BaseException as error:
        print(f"  {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        return "other exception"
    found = module.state_dict()
    same = all(torch.equal(found[key], wanted[key]) for key in wanted)
    return "read, content as it was" if same else "read, content changed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mutations", type=int, default=20_000)
    options = parser.parse_args()
    context = multiprocessing.get_context("fork")
    torch.set_num_threads(1)
    failed = False
    for kind in KINDS:
        counts: Counter[str] = Counter()
        most = 0.0
        for first in range(0, options.mutations, BATCH):
            with tempfile.TemporaryDirectory() as folder:
                answers = context.SimpleQueue()
                n = min(BATCH, options.mutations - first)
                worker = context.Process(target=read_batch, args=(kind, first, n, folder, answers))
                worker.start()
                worker.join()
                if worker.exitcode:
                    counts[f"process ended with {worker.exitcode}"] += 1
                    continue
                found, grown = answers.get()
                counts += found
                most = max(most, grown)
        print(f"{kind}: {dict(counts.most_common())}; memory grew by at most {most:.0f} MiB")
        fine = {"refused", "read, content as it was", "read, content changed", "unchanged"}
        failed |= bool(set(counts) - fine)
    sys.exit(failed)


if __name__ == "__main__":
    main()
