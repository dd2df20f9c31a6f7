"""One dictionary trained by several processes: the same atoms, at what speed, with how many bytes?

    python benchmarks/several_processes.py atoms
    python benchmarks/several_processes.py speed
    python benchmarks/several_processes.py bytes

``atoms`` fits planted orbits for 200 steps in one process, then in 2 and 4 over gloo with the same
batches, and prints the largest difference of a number of the atoms, as a share of the largest
number, and one less the smallest cosine of two atoms. Beside it, as what rounding does by itself,
the same of two fits in one process, of data of which one sample is changed in the last bit.

``speed`` fits planted orbits of 480 channels in turn, in one process with two threads and in two
with one thread each, `--repetitions` times, and prints the ratio of the medians of a step, for each
of some ``--batch-sizes``. At least two cores must be free.

``bytes`` counts what goes over the loopback device in a network namespace of its own, for which it
must be root, and compares it with `communication_bytes`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from measuring import processor
from tabulate import tabulate

PLANTED = {
    "topk": {"activation": "topk", "k": 8},
    "topk, compression 0.9": {"activation": "topk", "k": 8, "compression": 0.9, "augment": True},
    "relu": {"l1": 0.05},
    "relu, compression 0.9": {"l1": 0.05, "compression": 0.9},
    "jumprelu": {"activation": "jumprelu", "l1": 0.05},
}
# As `groupcross fit` has them by default for 480 channels, and without compression.
SHAPES = {
    "D16, 768 atoms, k 48, compression 0.8": {
        "order": 16, "n_features": 768, "k": 48, "compression": 0.8, "augment": True,
    },
    "D16, 2048 atoms, k 32, all columns": {"order": 16, "n_features": 2048, "k": 32},
}  # fmt: skip


def planted(parameters):
    """What `atoms` fits."""
    from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits

    group = Dihedral(6)
    X = make_orbits(4000, group=group, n_channels=24, n_families=20, random_state=0).orbits
    crosscoder = GroupCrosscoder(
        group, n_features=240, batch_size=400, max_epochs=20, random_state=0, device="cpu",
        **parameters,
    )  # fmt: skip
    return crosscoder, X


def shaped(parameters):
    """What `speed` and `bytes` fit."""
    from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits

    given = dict(parameters)
    group, n_rows = Dihedral(given.pop("order")), given.pop("n_rows", 4096)
    X = make_orbits(
        n_rows, group=group, n_channels=480, n_families=40, closed=False, random_state=0
    ).orbits
    given = {"activation": "topk", "batch_size": 1024, "max_epochs": 4, **given}
    return GroupCrosscoder(group, random_state=0, device="cpu", **given), X


def sent_over_loopback():
    """Bytes, in the network namespace of this process."""
    lines = Path("/proc/self/net/dev").read_text().splitlines()
    (loopback,) = (line for line in lines if line.strip().startswith("lo:"))
    return int(loopback.split(":")[1].split()[8])


def work(task, out):
    """Be one of the processes; the first writes what it found."""
    import torch

    from sklearn_groupcross.crosscoder._trainer import Trainer

    torch.set_num_threads(task["threads"])
    warnings.simplefilter("ignore")  # such as that runs are short
    seconds, sent, sizes, train_on = [], [], [], Trainer.train_on

    def timed(self, *arguments):
        start = time.perf_counter()
        train_on(self, *arguments)
        seconds.append(time.perf_counter() - start)
        sent.append(sent_over_loopback())
        parameters = self.parameters
        sizes[:] = [parameters.decoder.shape[1], parameters.decoder_bias.numel()]

    Trainer.train_on = timed
    crosscoder, X = {"planted": planted, "shaped": shaped}[task["data"]](task["parameters"])
    if task.get("nudged"):
        X = X.copy()
        X[5] *= np.float32(1 + 1.2e-7)
    crosscoder.fit(X)
    if os.environ.get("RANK", "0") == "0":
        np.savez(out, atoms=crosscoder.components_, seconds=seconds, sent=sent, sizes=sizes)


def run(data, parameters, n_processes=1, *, threads=1, parallel=None, nudged=False, prefix=()):
    """What the first of some processes found."""
    task = {"data": data, "threads": threads, "nudged": nudged}
    task["parameters"] = {**parameters, "parallel": parallel}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "found.npz")
        world = {"WORLD_SIZE": str(n_processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        threads_of = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
        command = [sys.executable, __file__, "work", json.dumps(task), str(out)]
        if prefix:  # all of them in one namespace
            one = " & ".join(f"RANK={rank} {shlex.join(command)}" for rank in range(n_processes))
            commands = [[*prefix, f"ip link set lo up; {one} & wait"]]
        else:
            commands = [command] * n_processes
        processes = [
            subprocess.Popen(each, env={**os.environ, **world, **threads_of, "RANK": str(rank)})
            for rank, each in enumerate(commands)
        ]
        statuses = [process.wait() for process in processes]
        if any(statuses):
            raise SystemExit("A process failed.")
        with np.load(out) as file:
            return dict(file)


def differences(one, other):
    """Largest difference of a number, and one less the smallest cosine of two atoms."""
    one, other = one.astype(float), other.astype(float)
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    alive = norms > 0
    cosines = (one * other).sum(axis=1)[alive] / norms[alive]
    return f"{np.abs(one - other).max() / np.abs(one).max():.1e}", f"{1 - cosines.min():.1e}"


def compare_atoms(_):
    rows = []
    for name, parameters in PLANTED.items():
        alone = run("planted", parameters)["atoms"]
        others = {"one, last bit of one sample": run("planted", parameters, nudged=True)}
        for n_processes, parallel in ((2, "data"), (4, "data"), (2, "atoms")):
            others[f'{n_processes}, "{parallel}"'] = run(
                "planted", parameters, n_processes, parallel=parallel
            )
        rows += [[name, n, *differences(alone, found["atoms"])] for n, found in others.items()]
    print(tabulate(rows, ["", "processes", "largest difference", "1 - smallest cosine"]))


def compare_speed(options):
    rows = []
    for batch_size, (name, parameters) in product(options.batch_sizes, SHAPES.items()):
        given = {**parameters, "batch_size": batch_size, "n_rows": max(4096, 2 * batch_size)}
        for parallel in ("data", "atoms"):
            found = [
                [
                    np.median(run("shaped", given, threads=2)["seconds"]),
                    np.median(run("shaped", given, 2, parallel=parallel)["seconds"]),
                ]
                for _ in range(options.repetitions)
            ]
            one, two = (statistics.median(column) for column in zip(*found, strict=True))
            ratios = [a / b for a, b in found]
            shown = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            row = [batch_size, name, parallel, f"{1e3 * one:.0f}", f"{1e3 * two:.0f}", shown]
            rows.append(row)
            print(*row, file=sys.stderr, flush=True)
    headers = ["batch", "", "parallel", "one of two threads, ms", "two of one, ms", "speed"]
    print(tabulate(rows, headers, disable_numparse=True))


def compare_bytes(_):
    from sklearn_groupcross.crosscoder import communication_bytes

    rows = []
    for name, parameters in SHAPES.items():
        few = {**parameters, "n_rows": 2048, "batch_size": 256, "max_epochs": 1}
        for n_processes, parallel in ((2, "data"), (4, "data"), (2, "atoms"), (4, "atoms")):
            found = run(
                "shaped", few, n_processes, parallel=parallel, prefix=("unshare", "-n", "sh", "-c")
            )
            n_columns, n_biases = map(int, found["sizes"])
            expected = communication_bytes(
                n_processes,
                parallel=parallel,
                n_atoms=few["n_features"],
                n_read=480,
                n_columns=n_columns,
                n_biases=n_biases,
                batch_size=256,
                activation="topk",
                k=few["k"],
            )
            # from the second step to the last of the first pass: others are told something too
            sent = found["sent"][:8]
            measured = (sent[-1] - sent[1]) / (len(sent) - 2)
            rows.append(
                [name, n_processes, parallel, expected / 1e6, measured / 1e6, measured / expected]
            )
    headers = ["", "processes", "parallel", "counted, MB a step", "sent, MB a step", "ratio"]
    print(tabulate(rows, headers, floatfmt=".3f"))


def main():
    if sys.argv[1:2] == ["work"]:
        work(json.loads(sys.argv[2]), sys.argv[3])
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["atoms", "speed", "bytes"])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1024, 8192])
    arguments = parser.parse_args()
    print(processor())
    by_name = {"atoms": compare_atoms, "speed": compare_speed, "bytes": compare_bytes}
    by_name[arguments.what](arguments)


if __name__ == "__main__":
    main()
