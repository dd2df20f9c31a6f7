"""Mean norm of every block of the orbit, by where positions are drawn.

    python benchmarks/block_norms.py PHOTOGRAPHS bvlc_googlenet.safetensors

Orbits of Dihedral(8) at ``inception_3b_output``, 20 positions of each of 300 photographs: drawn
continuously from the disk, and drawn from the layer's units. A block is a tilted view of the same
places, so that all norms should be alike; the deviation from their mean is printed in percent, with
its standard error over photographs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from sklearn_groupcross import Dihedral, OrbitDataset, load_network

GROUP, N_IMAGES, N_POSITIONS = Dihedral(8), 300, 20


def main(folder: str, weights: str) -> None:
    paths = sorted(Path(folder).glob("*.jpg"))
    chosen = np.linspace(0, len(paths) - 1, N_IMAGES).astype(int)
    options = {
        "network": load_network("bvlc_googlenet", weights),
        "group": GROUP,
        "n_positions": N_POSITIONS,
    }
    disk, grid = (
        OrbitDataset([paths[i] for i in chosen], sampling=sampling, **options)
        for sampling in ("disk", "grid")
    )
    norms = []
    for index in range(len(disk)):
        image = disk.images.load(index, disk.source_size)
        positions = torch.cat([disk.positions_of(index), grid.positions_of(index)])
        orbits = disk.read_orbits(image, positions)  # one pass through the network serves both
        norms.append(orbits.norm(dim=2).reshape(2, N_POSITIONS, -1).mean(dim=1).numpy())
    for name, of_images in zip(("disk", "grid"), np.stack(norms, axis=1), strict=True):
        deviation = 100 * (of_images.mean(axis=0) / of_images.mean() - 1)
        each = of_images / of_images.mean(axis=1, keepdims=True)
        error = 100 * each.std(axis=0, ddof=1) / len(of_images) ** 0.5
        print(f"{name}: identity {deviation[0]:+.2f} %, largest {np.abs(deviation).max():.2f} %")
        print("  " + " ".join(f"{value:+.2f}" for value in deviation) + f" (± {error.mean():.2f})")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
