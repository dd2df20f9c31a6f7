"""How far turns off the pixel lattice are from an exact action, by interpolation.

    python benchmarks/interpolation.py PHOTOGRAPHS WEIGHTS

For each photograph x, the orbit of the turned picture h·x (h = 45°) is compared with the orbit of
x, its blocks rearranged: an exact action would make them equal. Blocks that need no second
interpolation agree in any case and are left out. Printed: the median relative difference over
positions and blocks at GoogLeNet's inception_3b_output, with the quartiles over photographs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from sklearn_groupcross import Dihedral, OrbitDataset, load_network
from sklearn_groupcross.actions import ImageAction

N_IMAGES, N_POSITIONS, RADIUS, SOURCE = 20, 60, 40, 320


def main(folder: str, weights: str) -> None:
    paths = sorted(Path(folder).glob("*.jpg"))
    paths = paths[:: max(1, len(paths) // N_IMAGES)][:N_IMAGES]
    group, h = Dihedral(8), 1
    network = load_network("bvlc_googlenet", weights)
    permutation = torch.from_numpy(group.right_translation(h).copy())
    for mode in ("bilinear", "bicubic"):
        # what a turn brings in from beyond the image is hidden, in both
        action = ImageAction(group, mask=True, interpolation=mode)
        dataset = OrbitDataset(
            paths, network=network, action=action, n_positions=N_POSITIONS, radius=RADIUS
        )
        medians = []
        for index in range(len(paths)):
            x, positions = dataset.images.load(index, SOURCE), dataset.positions_of(index)
            turned = action.transform(x[None])[0, h]
            orbit = dataset.read_orbits(x, positions)
            moved = dataset.read_orbits(turned, action.transform_positions(positions)[:, h])
            expected = orbit[:, permutation]
            relative = (moved - expected).norm(dim=2) / expected.norm(dim=2)
            medians.append(float(relative[:, 1::2].median()))
        low, middle, high = np.quantile(medians, [0.25, 0.5, 0.75])
        print(f"{mode:9s} median difference {middle:.3f} (quartiles {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
