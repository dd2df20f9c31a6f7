"""The right-translation law on data: orbits of h·x against the permuted orbits of x.

    python benchmarks/translation_law.py PHOTOGRAPHS bvlc_googlenet.safetensors

For every h of Dihedral(16), at ``inception_3b_output``: the relative difference between the orbits
of the transformed photograph and those of the photograph with their blocks rearranged, ``O[gh]``,
over 40 positions of each of two photographs. Beside it, for mirrored h, the difference with the
blocks rearranged from the wrong side, ``O[hg]``. What a turn brings in from beyond the image is
masked.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from sklearn_groupcross import Dihedral, OrbitDataset, load_network
from sklearn_groupcross.actions import ImageAction

GROUP, SOURCE, RADIUS = Dihedral(16), 320, 30


def main(folder: str, weights: str) -> None:
    paths = sorted(Path(folder).glob("*.jpg"))[::400]
    action = ImageAction(GROUP, mask=True)
    dataset = OrbitDataset(
        paths,
        network=load_network("bvlc_googlenet", weights),
        action=action,
        n_positions=40,
        radius=RADIUS,
    )
    right: dict[int, list[torch.Tensor]] = {h: [] for h in range(1, GROUP.order)}
    wrong: dict[int, list[torch.Tensor]] = {h: [] for h in range(1, GROUP.order)}
    for index in range(len(paths)):
        image, positions = dataset.images.load(index, SOURCE), dataset.positions_of(index)
        views, places = action.transform(image[None])[0], action.transform_positions(positions)
        orbit = dataset.read_orbits(image, positions)
        for h in right:
            moved = dataset.read_orbits(views[h], places[:, h])
            for permutation, kept in (
                (GROUP.right_translation(h), right),
                (GROUP.cayley_table[h], wrong),
            ):
                expected = orbit[:, torch.tensor(permutation)]
                kept[h].append((moved - expected).norm(dim=2) / expected.norm(dim=2))
    on_lattice = [h for h in right if 4 * GROUP.turns[h] % GROUP.n_turns == 0]
    others = [h for h in right if h not in on_lattice]
    largest = max(float(torch.cat(right[h]).max()) for h in on_lattice)
    medians = [float(torch.cat(right[h]).median()) for h in others]
    mirrored = [float(torch.cat(wrong[h]).median()) for h in others if GROUP.mirrored[h]]
    print(f"h on the lattice ({len(on_lattice)}): largest difference {largest:.1e}")
    print(f"other h ({len(others)}): medians {min(medians):.3f} to {max(medians):.3f}")
    print(f"mirrored h, from the wrong side: medians {min(mirrored):.3f} to {max(mirrored):.3f}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
