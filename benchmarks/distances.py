"""Distances of all pairs of features: Fourier domain against the direct sum of |G| products.

    python benchmarks/distances.py [--group dihedral:32] [--atoms 4096] [--channels 480]

Both find ``max_h cos(W_i, R_h W_j)`` and the h that attains it, in float32 with torch. One term of
the direct sum is timed with all it takes: permute the blocks, multiply all atoms with all atoms,
update the running maximum and its h. In each repetition two terms are timed before ours and two
after; the direct time is |G| times their mean. Ours is timed from atoms to both results.

Printed: the ratio of each repetition, the share of each phase of ours, the largest difference from
the whole direct sum for 128 of the atoms, and, from processes of their own, the peak of resident
memory (VmHWM) beyond the input and the results: of the comparison of unit atoms, and of all that
`SymmetryAnalyzer.fit` does with components (unit atoms, comparison, self-profiles).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from measuring import processor

from sklearn_groupcross.analysis import _correlation
from sklearn_groupcross.analysis._similarity import best_alignment, unit_atoms
from sklearn_groupcross.analysis._spectra import self_profiles
from sklearn_groupcross.groups import parse_group

CPU, MEGA = torch.device("cpu"), 10**6


def random_components(m, width):
    """Row by row: no temporary array as large as the result."""
    rng = np.random.default_rng(0)
    components = np.empty((m, width), dtype=np.float32)
    for row in components:
        rng.standard_normal(out=row, dtype=np.float32)
    return components


class Direct:
    """Running maximum of the correlations over the elements, one element at a time."""

    def __init__(self, atoms, group):
        self.group, self.blocks = group, torch.from_numpy(atoms)
        m = len(atoms)
        self.maximum = torch.full((m, m), -torch.inf)
        self.element = torch.zeros((m, m), dtype=torch.int16)

    def add(self, h):
        moved = self.blocks[:, torch.tensor(self.group.right_translation(h))]
        cosines = self.blocks.flatten(1) @ moved.flatten(1).T
        self.element.masked_fill_(cosines > self.maximum, h)
        torch.maximum(self.maximum, cosines, out=self.maximum)


def stopwatch(seconds, name, function):
    def timed(*arguments):
        start = time.perf_counter()
        result = function(*arguments)
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start
        return result

    return timed


def timed(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def compare_speed(atoms, group, repetitions):
    phases = {}
    for name in ("_multiply", "_largest"):
        setattr(_correlation, name, stopwatch(phases, name, getattr(_correlation, name)))
    direct = Direct(atoms, group)
    direct.add(0)  # first touch of its arrays
    ratios, total = [], 0.0
    for _ in range(repetitions):
        terms = [timed(direct.add, h) for h in (1, 2)]
        ours = timed(best_alignment, atoms, None, group, CPU)
        terms += [timed(direct.add, h) for h in (group.order - 1, group.order - 2)]
        total += ours
        ratios.append(group.order * np.mean(terms) / ours)
        print(
            f"direct {', '.join(f'{t:.1f}' for t in terms)} s a term, Fourier {ours:.1f} s in all: "
            f"{ratios[-1]:.1f} times faster",
            flush=True,
        )
    print(f"ratio {np.mean(ratios):.1f} (from {min(ratios):.1f} to {max(ratios):.1f})")
    products, inverse = phases["_multiply"] / total, phases["_largest"] / total
    print(
        f"products {products:.0%}, inverse transform and maximum {inverse:.0%}, forward transform "
        f"and filling in the results {1 - products - inverse:.0%}"
    )


def status(field):
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def measure_memory(what, components, group):
    """Peak of resident memory beyond what there is before and the results, in bytes."""
    best_alignment(unit_atoms(components[:8], group.order), None, group, CPU)  # libraries are awake
    atoms = components.reshape(len(components), group.order, -1)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts again here
    before = status("VmRSS")
    results = []
    if what == "fit":
        atoms = unit_atoms(components, group.order)
        results.append(self_profiles(atoms, group))
    results += best_alignment(atoms, None, group, CPU)
    return status("VmHWM") - before - sum(result.nbytes for result in results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--group", default="dihedral:32")
    parser.add_argument("--atoms", type=int, default=4096)
    parser.add_argument("--channels", type=int, default=480)
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--memory", choices=["comparison", "fit"], help="measure memory alone")
    options = parser.parse_args()
    print(processor())
    group = parse_group(options.group)
    components = random_components(options.atoms, group.order * options.channels)
    if options.memory:
        extra = measure_memory(options.memory, components, group)
        print(f"{options.memory}: {extra / MEGA:.0f} MB beyond input and results", flush=True)
        return
    print(f"{options.atoms} atoms, {options.channels} channels, {group}, float32", flush=True)
    atoms = unit_atoms(components, group.order)
    few = Direct(atoms[:128], group)
    for h in range(group.order):
        few.add(h)
    found, _ = best_alignment(atoms[:128], None, group, CPU)
    error = np.abs(found - few.maximum.numpy()).max()
    print(f"largest difference from the direct sum, 128 atoms: {error:.1e}", flush=True)
    compare_speed(atoms, group, options.repetitions)
    for what in ("comparison", "fit"):
        subprocess.run([sys.executable, *sys.argv, "--memory", what], check=True)


if __name__ == "__main__":
    main()
