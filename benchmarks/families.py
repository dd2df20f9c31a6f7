"""Three ways to find families, on planted ones: adjusted Rand index.

    python benchmarks/families.py

Dictionaries over Dihedral(8) with 32 channels: 24 families with stabilizers drawn from all
subgroups, all of their members or a share of them, among 60 atoms that belong to no family, all
with noise (its norm relative to that of an atom). ``bridges``: every family is also tied to the
next by five atoms on the way from the first atom of one to that of the other, at 15° to 75°; these
are not scored. Features alone are clusters of one. ``average`` and ``hdbscan`` see all distances,
``graph`` ten neighbours. Means over seeds with 95 % intervals (t distribution).
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import numpy as np
import torch
from scipy import sparse
from scipy.stats import t
from sklearn.metrics import adjusted_rand_score

from sklearn_groupcross import Dihedral, make_orbits
from sklearn_groupcross.analysis import cluster_families
from sklearn_groupcross.analysis._clustering import METHODS
from sklearn_groupcross.analysis._similarity import best_alignment, unit_atoms

GROUP, N_CHANNELS, N_FAMILIES, N_ALONE, N_NEIGHBORS = Dihedral(8), 32, 24, 60, 10
SETTINGS = [  # share of the members planted, noise, bridges
    (1.0, 0.0, False),
    (1.0, 0.5, False),
    (0.5, 0.5, False),
    (0.25, 0.5, False),
    (0.5, 0.9, False),
    (0.5, 0.5, True),
]


def plant(share: float, noise: float, bridges: bool, seed: int):
    """Atoms and their families, -1 for those that are not scored."""
    rng = np.random.default_rng(seed)
    planted = make_orbits(
        2, group=GROUP, n_channels=N_CHANNELS, n_families=N_FAMILIES, random_state=seed
    )
    first = [np.flatnonzero(planted.families == f)[0] for f in range(N_FAMILIES)]
    kept = rng.random(len(planted.families)) < share
    alone = rng.standard_normal((N_ALONE, GROUP.order, N_CHANNELS))
    alone /= np.linalg.norm(alone, axis=(1, 2), keepdims=True)
    parts = [planted.components[kept], alone]
    truth = [planted.families[kept], N_FAMILIES + np.arange(N_ALONE)]
    if bridges:
        angles = np.deg2rad(np.arange(15, 76, 15))[:, None, None]
        ways = [
            np.cos(angles) * planted.components[a] + np.sin(angles) * planted.components[b]
            for a, b in pairwise(first)
        ]
        parts.append(np.concatenate(ways))
        truth.append(np.full(len(parts[-1]), -1))
    atoms = np.concatenate(parts)
    noisy = atoms + noise / np.sqrt(atoms[0].size) * rng.standard_normal(atoms.shape)
    return noisy, np.concatenate(truth)


def nearest(distances: np.ndarray) -> sparse.csr_array:
    others = distances + np.where(np.eye(len(distances), dtype=bool), np.inf, 0)
    columns = np.argsort(others, axis=1, kind="stable")[:, :N_NEIGHBORS]
    rows = np.repeat(np.arange(len(distances)), N_NEIGHBORS)
    data = np.take_along_axis(distances, columns, axis=1).ravel()
    return sparse.csr_array((data, (rows, columns.ravel())), shape=distances.shape)


def scores(share: float, noise: float, bridges: bool, threshold: float, seed: int) -> list[float]:
    blocks, truth = plant(share, noise, bridges, seed)
    atoms = unit_atoms(blocks.reshape(len(blocks), -1), GROUP.order)
    distances = np.clip(1 - best_alignment(atoms, None, GROUP, torch.device("cpu"))[0], 0, 2)
    np.fill_diagonal(distances, 0)
    alive, scored = np.ones(len(atoms), dtype=bool), truth >= 0
    found = []
    for method in METHODS:
        seen = nearest(distances) if method == "graph" else distances
        labels = cluster_families(seen, alive, threshold, method=method)
        labels = np.where(labels < 0, len(labels) + np.arange(len(labels)), labels)
        found.append(adjusted_rand_score(truth[scored], labels[scored]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    n = parser.parse_args().seeds
    print("members noise bridges threshold  " + "  ".join(f"{m:>13}" for m in METHODS))
    for share, noise, bridges in SETTINGS:
        for threshold in (0.4, 0.6):
            found = np.array([scores(share, noise, bridges, threshold, s) for s in range(n)])
            half = t.ppf(0.975, n - 1) * found.std(axis=0, ddof=1) / n**0.5
            cells = [f"{m:.2f} ± {h:.2f}" for m, h in zip(found.mean(axis=0), half, strict=True)]
            row = f"{share:<7} {noise:<5} {'yes' if bridges else 'no':<7} {threshold:<9}  "
            print(row + "  ".join(f"{cell:>13}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
