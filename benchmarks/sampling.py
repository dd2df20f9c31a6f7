"""What sampling, interpolation and masks do to orbits, and to what is learned from them.

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE \\
        python benchmarks/sampling.py PHOTOGRAPHS bvlc_googlenet.safetensors FOLDER

Orbits of Dihedral(8) at ``inception_3b_output``, 40 positions of each of 120 photographs, 20 of
which are held out; a TopK dictionary of 512 atoms, k = 24, augment=True, three seeds. A line a way
of reading:

- identity, lattice, spread: by how much the mean norm of the identity block exceeds the mean of all
  blocks, the same for the eight elements of the square's group, and the largest deviation of any
  block, all in percent;
- FVU: fraction of variance unexplained on the held-out orbits;
- features that fire, and the share of them that is named: invariant under a half turn, a quarter
  turn or more, a mirror alone, nothing. Means over the seeds, with their range for the half turn.

Orbits are kept in FOLDER as stores: a run that is stopped goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, SymmetryAnalyzer
from sklearn_groupcross.actions import ImageAction
from sklearn_groupcross.networks import load_network
from sklearn_groupcross.orbits import ImageSource, OrbitStore

N_IMAGES, N_HELD_OUT, N_POSITIONS, SEEDS = 120, 20, 40, (0, 1, 2)
GROUP = Dihedral(8)
RADIUS = 46  # the largest disk that a mask of half the input leaves whole fields in


def masked(radius: float, softness: float) -> ImageAction:
    return ImageAction(GROUP, mask=True, mask_radius=radius, mask_softness=softness)


WAYS: dict[str, dict[str, Any]] = {
    "disk": {},
    "disk, bilinear turns": {"action": ImageAction(GROUP, interpolation="bilinear")},
    "grid": {"sampling": "grid"},
    "energy": {"sampling": "energy"},
    "disk, exact": {"interpolation": "exact"},
    "grid, exact": {"sampling": "grid", "interpolation": "exact"},
    "disk, mask 112 px": {"action": masked(112, 2)},
    "disk, mask 80 px": {"action": masked(80, 2)},
    "disk, mask 80 px, soft 32": {"action": masked(80, 32)},
    "disk, mask 56 px": {"action": masked(56, 2)},
}


def read(way: str, files: ImageSource, network: Any, folder: Path) -> OrbitStore:
    options = {"action": ImageAction(GROUP), "radius": RADIUS, **WAYS[way]}
    dataset = OrbitDataset(files, network=network, n_positions=N_POSITIONS, **options)
    return dataset.extract(folder / way.replace(" ", "-").replace(",", ""), progress=True)


def describe_norms(orbits: np.ndarray) -> tuple[float, float, float]:
    norms = np.linalg.norm(orbits.astype(np.float32), axis=2).mean(axis=0)
    deviation = 100 * (norms / norms.mean() - 1)
    lattice = 4 * GROUP.turns % GROUP.n_turns == 0
    return deviation[0], deviation[lattice].mean(), np.abs(deviation).max()


def describe_symmetries(crosscoder: GroupCrosscoder, orbits: np.ndarray) -> list[float]:
    fires = (crosscoder.transform(orbits) > 0).mean(axis=0) >= 1e-3
    analysis = SymmetryAnalyzer().fit(crosscoder)
    half = quarter = mirror = nothing = 0
    for feature in np.flatnonzero(fires):
        elements = set(analysis.stabilizers_[feature].subgroup.elements)
        if GROUP.rotation_by(90) in elements:
            quarter += 1
        elif GROUP.rotation_by(180) in elements:
            half += 1
        elif len(elements) > 1:
            mirror += 1
        else:
            nothing += 1
    n = max(1, fires.sum())
    return [float(fires.sum()), *(100 * count / n for count in (half, quarter, mirror, nothing))]


def main(images: str, weights: str, folder: str) -> None:
    files = ImageSource(images)
    files = files[np.linspace(0, len(files) - 1, N_IMAGES).astype(int)]
    network = load_network("bvlc_googlenet", weights)
    columns = (
        "identity",
        "lattice",
        "spread",
        "FVU",
        "firing",
        "half",
        "quarter",
        "mirror",
        "none",
    )
    print(f"{'way':26} " + " ".join(f"{column:>8}" for column in columns), flush=True)
    for way in WAYS:
        store = read(way, files, network, Path(folder))
        held_out = store.image_ids < N_HELD_OUT
        train, test = store[~held_out].astype(np.float32), store[held_out].astype(np.float32)
        rows = []
        for seed in SEEDS:
            crosscoder = GroupCrosscoder(
                GROUP,
                512,
                activation="topk",
                k=24,
                augment=True,
                max_epochs=40,
                precision="bfloat16",
                random_state=seed,
            ).fit(train)
            rows.append([1 - crosscoder.score(test), *describe_symmetries(crosscoder, test)])
        norms = describe_norms(np.asarray(store))
        fvu, *symmetries = np.mean(rows, axis=0)
        low, high = np.min(rows, axis=0)[2], np.max(rows, axis=0)[2]
        print(
            f"{way:26} "
            + " ".join(f"{value:8.1f}" for value in norms)
            + f" {fvu:8.3f} "
            + " ".join(f"{value:8.1f}" for value in symmetries)
            + f"   half turn: {low:.1f} to {high:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
