"""All cross-correlations of two dictionaries: Fourier domain against the direct sum.

    python benchmarks/group_correlation.py [--group dihedral:32] [--atoms 1024] [--channels 480]

Both compute ``C[i, j, h] = Σ_g ⟨W_i[g], W_j[g h]⟩`` in float32 with numpy, alternating. Printed for
each repetition: the ratio of the times, and the largest difference relative to the largest value.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from measuring import processor

from sklearn_groupcross.groups import GroupFourier, parse_group


def direct(atoms, group):
    flat = atoms.reshape(len(atoms), -1)
    result = np.empty((len(atoms), len(atoms), group.order), dtype=atoms.dtype)
    for h in range(group.order):
        moved = atoms[:, group.right_translation(h)].reshape(len(atoms), -1)
        result[:, :, h] = flat @ moved.T
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--group", default="dihedral:32")
    parser.add_argument("--atoms", type=int, default=1024)
    parser.add_argument("--channels", type=int, default=480)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    print(processor())
    group = parse_group(options.group)
    rng = np.random.default_rng(0)
    shape = (options.atoms, group.order, options.channels)
    atoms = rng.standard_normal(shape, dtype=np.float32)
    fourier = GroupFourier(group)
    fourier.correlate(atoms[:2], atoms[:2])  # irreps are found once
    ratios = []
    for _ in range(options.repetitions):
        start = time.perf_counter()
        expected = direct(atoms, group)
        middle = time.perf_counter()
        found = fourier.correlate(atoms, atoms)
        end = time.perf_counter()
        ratios.append((middle - start) / (end - middle))
        error = np.abs(found - expected).max() / np.abs(expected).max()
        print(
            f"direct {middle - start:.2f} s, Fourier {end - middle:.2f} s: "
            f"{ratios[-1]:.1f} times faster, largest difference {error:.1e}",
            flush=True,
        )
    print(f"median ratio {np.median(ratios):.1f} (from {min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
