"""What a fit costs before its first step and after its last, with `compression` and without.

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=2 \\
        python benchmarks/fixed_costs.py PHOTOGRAPHS bvlc_googlenet.safetensors FOLDER

The data of benchmarks/training_speed.py: ``Dihedral(32)``, 480 channels, 8,000 orbits in memory as
float32, and all 9,600 in their store as float16; 4096 atoms, TopK with k = 32, batches of 1024,
`--steps` steps. Fits take turns, `--rounds` times: in all columns, and with each of
`--compression`. Printed are medians over rounds of the seconds of each phase, by the clock and, in
brackets, of the processor in all threads, which other work disturbs less; for phases that multiply
or read, also what they would take at the limit of this machine, measured before. "All but steps" is
a fit without the seconds of its steps; the fixed cost of compression is that of its phases,
squares, axes and coordinates, and it pays from as many steps on as that is of what a step saves.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from measuring import processor, seconds, step_times
from training_speed import add_data_arguments, ours, read_orbits

from sklearn_groupcross import OrbitStore
from sklearn_groupcross.crosscoder import _basis, _data, _start, _training
from sklearn_groupcross.crosscoder._feed import _ROWS_FOR_BASIS, Feed
from sklearn_groupcross.groups import FiniteGroup


class Phases:
    """Seconds of functions, by the clock and of the processor."""

    def __init__(self) -> None:
        self.found: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))
        self.results: dict[str, Any] = {}

    def timed(
        self, phase: str, function: Callable[..., Any], *arguments: Any, **options: Any
    ) -> Any:
        start = now()
        self.results[phase] = function(*arguments, **options)
        self.found[phase] += now() - start
        return self.results[phase]

    def watch(self, owner: Any, name: str, phase: str) -> None:
        function = getattr(owner, name)
        setattr(owner, name, lambda *args, **options: self.timed(phase, function, *args, **options))


def now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def limits() -> dict[str, float]:
    """GFLOP/s of float32 products, and GB/s of reading memory; best of several."""
    left, right, out = torch.randn(1024, 4096), torch.randn(4096, 8192), torch.empty(1024, 8192)
    large = torch.randn(1 << 27)
    products = min(seconds(lambda: torch.mm(left, right, out=out)) for _ in range(5))
    reading = min(seconds(large.sum) for _ in range(5))
    return {
        "float32": 2e-9 * left.shape[0] * right.numel() / products,
        "reading": 4e-9 * large.numel() / reading,
    }


def work(group: FiniteGroup, n: int, d: int, axes: list[int]) -> dict[str, tuple[str, float]]:
    """Which limit holds for a phase, and the GFLOP or GB that it cannot do without."""
    fourier = 2.0 * group.order**2 * d
    widths = [rho.multiplicity * d for rho in group.irreps]
    squares = sum(rho.dimension * w * (w + 1) for rho, w in zip(group.irreps, widths, strict=True))
    along = sum(
        2 * rho.dimension * w * p for rho, w, p in zip(group.irreps, widths, axes, strict=True)
    )
    return {
        "check and moments": ("reading", 4e-9 * n * group.order * d),
        "squares": ("float32", 1e-9 * min(n, _ROWS_FOR_BASIS) * (fourier + squares)),
        "coordinates": ("float32", 1e-9 * n * (fourier + along)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_arguments(parser)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compression", type=float, nargs="*", default=[0.9, 0.8])
    options = parser.parse_args()
    group, train, _ = read_orbits(options)
    bounds = limits()
    print(processor())
    print(", ".join(f"{name} {value:.0f}" for name, value in bounds.items()), "(GFLOP/s, GB/s)")
    store = OrbitStore(options.folder / repr(group))
    phases = Phases()
    phases.watch(_data, "summarize", "check and moments")
    phases.watch(_start, "basis_of", "basis")
    phases.watch(_basis, "_squares", "squares")
    phases.watch(_start, "initialize", "weights")
    phases.watch(Feed, "__init__", "coordinates")
    phases.watch(_training, "adopt", "expanding")
    for name, data in {"float32, in memory": train, "float16, a store": store}.items():
        times: dict[float | None, list[Any]] = defaultdict(list)
        n_axes: dict[float | None, list[int]] = {None: [0] * len(group.irreps)}
        for _ in range(options.rounds):
            for share in (None, *options.compression):
                phases.found.clear()
                model = ours(group, options.steps, len(data), 32, compression=share)
                with step_times() as starts:
                    phases.timed("fit", model.fit, data)
                found: dict[str, Any] = dict(phases.found)
                found["step"] = float(np.median(np.diff(starts)))
                found["steps"] = len(starts)
                times[share].append(found)
                if share is not None:
                    n_axes[share] = [len(axes) for axes in phases.results["basis"].basis.axes]
        print(f"\n{name}, {len(data)} orbits, {torch.get_num_threads()} threads")
        report(group, len(data), train.shape[2], times, n_axes, bounds)


def report(
    group: FiniteGroup,
    n: int,
    d: int,
    times: dict[float | None, list[Any]],
    n_axes: dict[float | None, list[int]],
    bounds: dict[str, float],
) -> None:
    step = {
        share: np.median([found["step"] for found in rounds]) for share, rounds in times.items()
    }
    for share, rounds in times.items():
        middle = {
            phase: np.median([found[phase] for found in rounds], axis=0)
            for phase in rounds[0]
            if phase not in ("step", "steps")
        }
        rest = np.median([found["fit"][0] - found["steps"] * found["step"] for found in rounds])
        print(f"{share or 'all columns'}: {step[share]:.3f} s a step, all but steps {rest:.2f} s")
        if share is None:
            del middle["coordinates"]  # there are none
        else:
            cost = middle["basis"] + middle["coordinates"]
            saved = step[None] - step[share]
            n_coordinates = sum(
                p * rho.dimension for p, rho in zip(n_axes[share], group.irreps, strict=True)
            )
            print(
                f"    {n_coordinates} coordinates, fixed cost {cost[0]:.2f} s [{cost[1]:.2f}], "
                f"pays from {cost[0] / saved:.1f} steps"
            )
            middle["axes"] = middle.pop("basis") - middle["squares"]
        needed = work(group, n, d, n_axes[share])
        for phase, (clock, processor_time) in middle.items():
            line = f"    {phase}: {clock:.2f} s [{processor_time:.2f}]"
            if phase in needed:
                limit, amount = needed[phase]
                ideal = amount / bounds[limit]
                line += f", {ideal:.2f} s at the limit of {limit}: {ideal / clock:.0%}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
