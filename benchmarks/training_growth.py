"""How training grows with the group, the dictionary, the channels, the samples and the batch.

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE \\
        python benchmarks/training_growth.py [--plot FILE]

Synthetic orbits, TopK. Around one middle case (``Dihedral(16)``, 2048 atoms, 240 channels, k = 32,
batches of 1024, 4096 samples) one size is changed at a time. Printed for each: the median seconds
of a step of ours and of a dense loop (benchmarks/dense_loop.py), taken in turn, their ratio, and
what each takes of anonymous memory at most beyond the data.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from dense_loop import DenseLoop
from measuring import GIGA, peak_bytes, processor, seconds, step_times
from tabulate import tabulate

from sklearn_groupcross import Dihedral, GroupCrosscoder
from sklearn_groupcross.groups import FiniteGroup, Trivial

MIDDLE = {"turns": 16, "atoms": 2048, "channels": 240, "active": 32, "batch": 1024, "samples": 4096}
CHANGES = {
    "turns": [0, 4, 8, 16, 32],
    "atoms": [512, 2048, 8192],
    "channels": [60, 240, 960],
    "active": [8, 32, 128, 512],
    "batch": [256, 1024, 4096],
    "samples": [2048, 4096, 16384],
}
LABELS = {
    "turns": "blocks |G|",
    "atoms": "atoms m",
    "channels": "channels d",
    "active": "active codes k",
    "batch": "samples a batch",
    "samples": "samples n",
}
N_STEPS, N_DENSE_STEPS = 12, 2


def group_of(turns: int) -> FiniteGroup:
    return Dihedral(turns) if turns else Trivial()


def measure(case: dict[str, int]) -> tuple[float, float, float, float]:
    """Seconds of a step and gigabytes, of ours and of the dense loop."""
    group = group_of(case["turns"])
    rng = np.random.default_rng(0)
    shape = (case["samples"], group.order, case["channels"])
    X = rng.standard_normal(shape, dtype=np.float32)
    crosscoder = GroupCrosscoder(
        group,
        case["atoms"],
        activation="topk",
        k=case["active"],
        batch_size=case["batch"],
        max_epochs=max(1, round(N_STEPS * case["batch"] / case["samples"])),
        dead_features=None,
        random_state=0,
        device="cpu",
    )
    # an epoch of at least two steps in which memory and loops are made ready
    with step_times() as starts:
        bytes_of_ours = peak_bytes(lambda: crosscoder.fit(X))
    ours = float(np.median(np.diff(starts))) if len(starts) > 1 else float("nan")
    loop: list[DenseLoop] = []
    arguments = (case["atoms"], case["active"], case["batch"], 1e-3)

    def fit_loop() -> None:
        loop.append(DenseLoop(X, *arguments))
        loop[0].fit(1)

    bytes_of_loop = peak_bytes(fit_loop)
    dense = seconds(lambda: loop[0].fit(N_DENSE_STEPS)) / N_DENSE_STEPS
    return ours, bytes_of_ours / GIGA, dense, bytes_of_loop / GIGA


def plot(results: list[tuple[str, int, tuple[float, ...]]], file: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(10, 5.5), sharey=True, layout="constrained")
    for axis, name in zip(axes.flat, CHANGES, strict=True):
        found = [(size, numbers) for changed, size, numbers in results if changed == name]
        sizes = [group_of(size).order if name == "turns" else size for size, _ in found]
        for index, label, style in ((2, "dense loop", "C7o--"), (0, "GroupCrosscoder", "C0o-")):
            axis.plot(sizes, [numbers[index] for _, numbers in found], style, label=label)
        axis.set(xscale="log", yscale="log", xlabel=LABELS[name])
        axis.set_xticks(sizes, [str(size) for size in sizes], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    for axis in axes[:, 0]:
        axis.set_ylabel("seconds a step")
    axes[0, 0].legend(frameon=False)
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    print(processor())
    measure({**MIDDLE, "turns": 2, "samples": 2048})  # loads and compiles
    results: list[tuple[str, int, tuple[float, ...]]] = []
    rows: list[list[Any]] = []
    for name, sizes in CHANGES.items():
        for size in sizes:
            numbers = measure({**MIDDLE, name: size})
            results.append((name, size, numbers))
            ours, gigabytes, dense, dense_gigabytes = numbers
            shown = group_of(size).order if name == "turns" else size
            times = f"{ours:.3f}", f"{dense:.3f}", f"{dense / ours:.1f}"
            memory = f"{gigabytes:.2f}", f"{dense_gigabytes:.2f}"
            rows.append([LABELS[name], shown, *times, *memory])
            print(rows[-1], flush=True)
    head = ["changed", "to", "ours, s", "dense, s", "ratio", "ours, GB", "dense, GB"]
    print(tabulate(rows, headers=head, disable_numparse=True))
    if options.plot:
        plot(results, options.plot)


if __name__ == "__main__":
    main()
