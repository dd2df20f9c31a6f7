"""Draw families of a run as wheels, on photographs that may be shown.

    python tools/family_wheels.py RUN PICTURE --network bvlc_googlenet --weights FILE \
        --families 0 3 --photographs FILE ...

RUN is the folder of a ``groupcross run``. Each member of a family is shown by the patch of the
photographs at which it fires most, in whatever orientation of the photograph that is. These are not
those that the dictionary was trained on, which may not be ours to print. Without ``--photographs``
they are scikit-learn's two and those that come with scikit-image, which has to be installed.
Without ``--families`` the tool prints the largest. ``--turned-back`` draws, in place of wheels, a
row for each family: the patch of every member turned back by its pose.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from sklearn_groupcross import GroupCrosscoder, OrbitDataset, SymmetryAnalyzer, load_network
from sklearn_groupcross.plotting import FamilyWheelDisplay

#: Photographs of scikit-image that are in the public domain, as its documentation says.
SCIKIT_IMAGE = ("astronaut", "chelsea", "clock_motion", "coffee", "coins", "camera", "rocket")
SIDE, CELL, N_CELLS = 75, 60, 12


def public_photographs() -> list[NDArray[np.uint8]]:
    """Those of scikit-learn and of scikit-image."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    files = [file for name in SCIKIT_IMAGE for file in folder.glob(f"{name}.*")]
    return [*load_sample_images().images, *map(read, files)]


def read(file: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(file).convert("RGB"))


def tiles_of(photograph: NDArray[np.uint8], side: int) -> list[NDArray[np.uint8]]:
    """Overlapping squares of a photograph, of ``side`` pixels each."""
    image = Image.fromarray(photograph)
    if (shorter := min(image.size)) < side:
        scale = side / shorter
        image = image.resize([round(length * scale) for length in image.size])
    pixels = np.asarray(image)
    starts = [range(0, length - side + 1, max(1, side // 2)) for length in pixels.shape[:2]]
    return [pixels[y : y + side, x : x + side] for y in starts[0] for x in starts[1]]


def strongest(
    codes: NDArray[np.float32], dataset: OrbitDataset, poses: list[int] | None = None
) -> list[NDArray[np.float32]]:
    """Of every feature the patch at which it fires most, turned back by its pose if that is given.

    Codes have the shape (n_samples, order, n_features).
    """
    patches = []
    for feature in range(codes.shape[2]):
        sample, element = map(int, np.unravel_index(codes[:, :, feature].argmax(), codes.shape[:2]))
        if poses is not None:
            back = dataset.group.inverse(int(poses[feature]))
            element = dataset.group.multiply(back, element)
        patches.append(dataset.patches([sample], SIDE, [element])[0, 0])
    return patches


def side_by_side(patches: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """As many as fit into a row."""
    row = np.full((CELL, N_CELLS * CELL, 3), 255, np.uint8)
    for i, patch in enumerate(patches[:N_CELLS]):
        picture = Image.fromarray((255 * patch.clip(0, 1)).astype(np.uint8))
        row[:, i * CELL : (i + 1) * CELL] = np.asarray(picture.resize((CELL, CELL)))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--network", default="bvlc_googlenet")
    parser.add_argument("--weights")
    parser.add_argument("--families", type=int, nargs="*")
    parser.add_argument("--photographs", type=Path, nargs="*")
    parser.add_argument("--turned-back", action="store_true")
    options = parser.parse_args()
    crosscoder = GroupCrosscoder.load(options.run / "crosscoder.safetensors")
    others = [GroupCrosscoder.load(file) for file in options.run.glob("crosscoder-seed*.safet*")]
    group = crosscoder.group_
    analysis = SymmetryAnalyzer().fit(crosscoder, others=others or None)
    if not options.families:
        print(analysis.families_table_.head(40).to_string())
        return
    network = load_network(options.network, options.weights)
    given = [read(file) for file in options.photographs] if options.photographs else None
    side = OrbitDataset(load_sample_images().images, network=network, group=group).source_size
    tiles = [tile for photo in given or public_photographs() for tile in tiles_of(photo, side)]
    dataset = OrbitDataset(tiles, network=network, group=group, n_positions=60, random_state=0)
    orbits = dataset.as_array()
    families = [analysis.families_[label] for label in options.families]
    members = [list(family.members) for family in families]
    encoded = [crosscoder.encode(orbits[:, g]) for g in range(group.order)]
    chosen = [np.stack([codes[:, of] for codes in encoded], axis=1) for of in members]
    if options.turned_back:
        rows = [
            side_by_side(strongest(codes, dataset, list(family.poses)))
            for codes, family in zip(chosen, families, strict=True)
        ]
        Image.fromarray(np.concatenate(rows)).save(options.picture, quality=88)
        return
    figure, axes = plt.subplots(
        1, len(families), figsize=(5 * len(families), 5.2), layout="constrained", squeeze=False
    )
    for axis, label, codes, family in zip(
        axes.flat, options.families, chosen, families, strict=True
    ):
        display = FamilyWheelDisplay.from_estimator(analysis, label, strongest(codes, dataset))
        display.plot(axis)
        found = analysis.families_table_.loc[label].get("found_again", np.nan)
        kind = analysis.kinds_[family.medoid]
        axis.set_title(
            f"{kind}: {len(set(family.poses))} of "
            f"{len(set(family.poses)) + len(family.gaps)} poses, "
            f"{found:.0%} found again",
            fontsize=11,
        )
        axis.set_xlabel("")
    figure.savefig(options.picture, dpi=110, pil_kwargs={"quality": 88})


if __name__ == "__main__":
    main()
