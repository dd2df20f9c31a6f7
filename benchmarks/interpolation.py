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
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F

from sklearn_groupcross import Dihedral, OrbitDataset, load_network
from sklearn_groupcross.actions import ImageAction, _image_action
from sklearn_groupcross.orbits._extraction import read_orbits

N_PHOTOGRAPHS, N_POSITIONS, RADIUS = 20, 60, 40


def sampler(mode):
    def sample(source, grids):
        expanded = source.expand(len(grids), -1, -1, -1)
        turned = F.grid_sample(
            expanded, grids, mode=mode, padding_mode="border", align_corners=False
        )
        return turned.clamp(source.amin(), source.amax())

    return sample


def main(folder: str, weights: str) -> None:
    paths = sorted(Path(folder).glob("*.jpg"))
    paths = paths[:: max(1, len(paths) // N_PHOTOGRAPHS)][:N_PHOTOGRAPHS]
    group, h = Dihedral(8), 1
    network = load_network("bvlc_googlenet", weights)
    dataset = OrbitDataset(
        paths, network=network, group=group, n_positions=N_POSITIONS, radius=RADIUS
    )
    action = ImageAction(group, mask=True)
    permutation = torch.from_numpy(group.right_translation(h).copy())
    for mode in ("bilinear", "bicubic"):
        with mock.patch.object(_image_action, "_sample", sampler(mode)):
            medians = []
            for index in range(len(paths)):
                x, positions = (
                    dataset.images.load(index, dataset.source_size),
                    dataset._positions(index),
                )
                turned = action.transform(x[None])[0, h]
                orbit, moved = (
                    read_orbits(
                        picture,
                        at,
                        action=action,
                        network=network,
                        layer=dataset.layer,
                        field=dataset.field,
                        batch_size=16,
                    )
                    for picture, at in (
                        (x, positions),
                        (turned, action.transform_positions(positions)[:, h]),
                    )
                )
                expected = orbit[:, permutation]
                relative = (moved - expected).norm(dim=2) / expected.norm(dim=2)
                medians.append(float(relative[:, 1::2].median()))
            low, middle, high = np.quantile(medians, [0.25, 0.5, 0.75])
        print(f"{mode:9s} median difference {middle:.3f} (quartiles {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
