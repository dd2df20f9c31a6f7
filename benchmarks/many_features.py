"""`SymmetryAnalyzer` with many features: seconds and memory, and neighbours without all distances.

    OMP_NUM_THREADS=2 python benchmarks/many_features.py [--atoms 16384] [--group dihedral:32]
        [--channels 480] [--axes 4] [--neighbors]

Made-up dictionaries, families of sixteen translates of one atom each with a hundredth of noise, in
so many axes of every irrep as --axes says: what a crosscoder has that was trained in few
coordinates (``compression``). --axes 0 takes atoms of all coordinates. Without --neighbors all of
`SymmetryAnalyzer.fit` with the distances of all pairs; with it fit and `kneighbors_graph` alone, as
for more features than `max_features_in_full`.

Printed: seconds of each part, the peak of anonymous memory beyond the dictionary, and how many of
the families are found whole.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from measuring import anonymous_bytes, peak_bytes, processor

from sklearn_groupcross import SymmetryAnalyzer
from sklearn_groupcross.analysis import _analyzer, _grouping
from sklearn_groupcross.groups import CompactFourier, parse_group

A_FAMILY = 16
# What takes less is not printed: some functions are called for every family.
SHORTEST = 0.1
GIGA = 10**9


def dictionary(group, n_atoms, n_channels, n_axes):
    """Atoms (m, order * d), family after family; no temporary array as large as they are."""
    rng = np.random.default_rng(0)
    fourier = CompactFourier(group)
    inverse = fourier.forward.T * fourier.weights
    # in float64, so that rounding leaves the coordinates what they are
    bases = [rng.standard_normal((n_axes, n_rows, n_channels)) for n_rows, _ in fourier.shapes]
    atoms = np.empty((n_atoms, group.order, n_channels), dtype=np.float32)

    def draw():
        if not n_axes:
            return rng.standard_normal((group.order, n_channels))
        parts = [
            np.einsum("ck,krd->rcd", rng.standard_normal((columns, n_axes)), basis)
            for (_, columns), basis in zip(fourier.shapes, bases, strict=True)
        ]
        return inverse @ np.concatenate([part.reshape(-1, n_channels) for part in parts])

    for start in range(0, n_atoms, A_FAMILY):
        seed = draw()
        for row in atoms[start : start + A_FAMILY]:
            noisy = seed + 0.01 * draw()
            row[:] = noisy[group.right_translation(int(rng.integers(group.order)))]
    return atoms.reshape(n_atoms, -1)


def stopwatch(module, names):
    """Print the seconds of functions of a module as they end: by the clock, and of processors."""

    def timed(name, function):
        def call(*arguments, **options):
            start, of_processor = time.perf_counter(), time.process_time()
            result = function(*arguments, **options)
            taken, of_processor = time.perf_counter() - start, time.process_time() - of_processor
            if taken >= SHORTEST:
                print(
                    f"  {name:28} {taken:8.1f} s, of processors {of_processor:8.1f} s", flush=True
                )
            return result

        return call

    for name in names:
        setattr(module, name, timed(name, getattr(module, name)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--atoms", type=int, default=16384)
    parser.add_argument("--group", default="dihedral:32")
    parser.add_argument("--channels", type=int, default=480)
    parser.add_argument("--axes", type=int, default=4)
    parser.add_argument("--neighbors", action="store_true")
    options = parser.parse_args()
    group = parse_group(options.group)
    components = dictionary(group, options.atoms, options.channels, options.axes)
    print(processor())
    print(
        f"{options.atoms} atoms, {options.channels} channels, {group!r}, "
        f"{options.axes or 'all'} axes: {components.nbytes / GIGA:.2f} GB",
        flush=True,
    )
    stopwatch(_analyzer, ["unit_atoms", "profiles_and_power", "find_kinds"])
    stopwatch(_analyzer, ["compare_features", "name_atoms", "group_features", "name_families"])
    stopwatch(_analyzer, ["describe_grouping", "features_table"])
    stopwatch(_grouping, ["choose_family_distance", "best_alignment", "nearest_neighbors"])
    stopwatch(_grouping, ["cluster_families", "find_kin", "describe_families", "families_table"])
    limit = 1 if options.neighbors else options.atoms
    analyzer = SymmetryAnalyzer(group=group, max_features_in_full=limit)
    start, of_processor = time.perf_counter(), time.process_time()
    peak = peak_bytes(lambda: analyzer.fit(components))
    taken, of_processor = time.perf_counter() - start, time.process_time() - of_processor
    print(f"fit: {taken:.1f} s, of processors {of_processor:.1f} s")
    print(f"{peak / GIGA:.2f} GB beyond the dictionary")
    print(f"afterwards {anonymous_bytes() / GIGA:.2f} GB in all")
    whole = sum(
        len(family) == A_FAMILY and len({m // A_FAMILY for m in family.members}) == 1
        for family in analyzer.families_
    )
    print(f"{whole} of {options.atoms // A_FAMILY} families found whole")


if __name__ == "__main__":
    main()
