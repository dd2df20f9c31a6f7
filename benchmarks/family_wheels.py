"""Draw the largest families of a dictionary, each member by the patch at which it fires most.

    python benchmarks/family_wheels.py DICTIONARY ORBITS.npy OUT --families 10

ORBITS.npy holds orbits of held-out photographs as `OrbitDataset.as_array` gives them: the last 120
of the shared photographs in the order of ``default_rng(0).permutation``, 100 positions each,
``inception_3b_output`` of ``bvlc_googlenet``, ``random_state=0``. Photographs and weights are in
the folder GROUPCROSS_DATA. OUT gets a wheel for each family, ``wheels.png`` with the first four,
and ``turned-back.png``: a row for each family, the patch of every member turned back by its pose.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

from sklearn_groupcross import GroupCrosscoder, OrbitDataset, SymmetryAnalyzer, load_network
from sklearn_groupcross.plotting import FamilyWheelDisplay

N_TRAINING, N_POSITIONS, PATCH, CELL, N_CELLS = 680, 100, 61, 44, 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dictionary")
    parser.add_argument("orbits")
    parser.add_argument("out", type=Path)
    parser.add_argument("--families", type=int, default=10)
    options = parser.parse_args()
    data = Path(os.environ["GROUPCROSS_DATA"])
    paths = sorted((data / "images").glob("*.jpg"))
    held = np.random.default_rng(0).permutation(len(paths))[N_TRAINING:]
    crosscoder = GroupCrosscoder.load(options.dictionary)
    dataset = OrbitDataset(
        [paths[i] for i in held],
        network=load_network("bvlc_googlenet", data / "bvlc_googlenet.safetensors"),
        layer="inception_3b_output",
        group=crosscoder.group_,
        n_positions=N_POSITIONS,
        random_state=0,
    )
    orbits = np.load(options.orbits, mmap_mode="r")
    codes = crosscoder.encode(np.ascontiguousarray(orbits[:, 0]))
    analysis = SymmetryAnalyzer().fit(crosscoder)
    print(analysis.families_table_.head(options.families).to_string())
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    grid, axes = plt.subplots(2, 2, figsize=(9, 9.6))
    for label, family in enumerate(analysis.families_[: options.families]):
        best = codes[:, list(family.members)].argmax(axis=0)
        patches = dataset.patches(best, PATCH)[:, 0]
        rows.append(turned_back(dataset, best, family.poses))
        display = FamilyWheelDisplay.from_estimator(analysis, label, patches)
        figure = display.plot().figure_
        figure.savefig(options.out / f"family-{label:02d}.png", dpi=90)
        plt.close(figure)
        if label < axes.size:
            axis = axes.flat[label]
            FamilyWheelDisplay.from_estimator(analysis, label, patches).plot(axis)
            stabilizer = analysis.stabilizers_[family.medoid].name.split(":")[0]
            axis.set_title(
                f"{analysis.kinds_[family.medoid]}, {stabilizer}: {len(set(family.poses))} poses "
                f"of {len(family.gaps) + len(set(family.poses))}",
                fontsize=9,
            )
            axis.set_xlabel("")
    grid.tight_layout()
    grid.savefig(options.out / "wheels.png", dpi=56)
    picture = Image.fromarray(np.concatenate(rows))
    # few colours: a small file
    picture.quantize(96, dither=Image.Dither.NONE).save(options.out / "turned-back.png")


def turned_back(dataset: OrbitDataset, samples, poses) -> np.ndarray:
    """Patches of members as they would be in the pose of the medoid, side by side."""
    row = np.full((CELL, N_CELLS * CELL, 3), 255, np.uint8)
    for i, (sample, pose) in enumerate(zip(samples[:N_CELLS], poses, strict=False)):
        patch = dataset.patches([sample], PATCH, [dataset.group.inverse(pose)])[0, 0]
        picture = Image.fromarray((255 * patch.clip(0, 1)).astype(np.uint8))
        row[:, i * CELL : (i + 1) * CELL] = np.asarray(picture.resize((CELL, CELL)))
    return row


if __name__ == "__main__":
    main()
