"""Pictures of what features want beside what excites them, and whether turned blocks want turns.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/visualizations.py RUN NETWORK PHOTOGRAPHS PICTURE.png
        [--weights FILE] [--each 3] [--count 24] [--batch-size 16] [--without-patches]

RUN is a folder of ``groupcross run`` over a planar group with a quarter turn, PHOTOGRAPHS the
folder that its images are from. PICTURE.png shows the most frequent features named directed, line
and grid, three of each: the two strongest patches of different photographs, whatever element of the
group they were seen under; the picture of the encoder; those of the blocks of the identity and of
the quarter turn; and the encoder's picture turned by 90°. The last row is of a random mixture of
all features, which has no patches.

Printed, for the `--count` most frequent features of the three kinds in turn, and as many controls:

- seconds, and how much of the encoder's pre-activation the strongest patch reaches, beside what the
  picture reaches;
- the encoder's pre-activation of the quarter turn's picture as it is, and of the same picture
  turned back by 90°, relative to that of the encoder's own picture. If the block wants what the
  encoder wants, turned, turning back makes it large for all kinds; as it is, it is small for
  directed features and lines, and large for grids.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from sklearn_groupcross import GroupCrosscoder, OrbitDataset, OrbitStore, load_network
from sklearn_groupcross.crosscoder import codes_of_activations
from sklearn_groupcross.visualization import visualize_features

KINDS, TILE, MARGIN, TOP = ("directed", "line", "grid"), 72, 96, 34
COLUMNS = ("strongest", "2nd", "encoder", "block of\nidentity", "block of\nturn 90°")
TURNED = "encoder's,\nturned 90°"


def chosen_features(table: pd.DataFrame, count: int) -> list[int]:
    """The frequent ones of the three kinds in turn."""
    ranked = table[table["kind"].isin(KINDS)].sort_values("frequency", ascending=False)
    rank = ranked.groupby("kind").cumcount()
    kind = ranked["kind"].map(KINDS.index)
    return (
        ranked.assign(rank=rank, place=kind)
        .sort_values(["rank", "place"])["feature"]
        .tolist()[:count]
    )


def strongest(crosscoder, store: OrbitStore, features: list[int]) -> list[list[tuple[int, int]]]:
    """Of each feature, the (row, element) of the two strongest, of different photographs."""
    orbits, ids = store[:], np.asarray(store.image_ids)
    best = np.zeros((len(orbits), len(features)), np.float32)
    element = np.zeros((len(orbits), len(features)), np.int64)
    for g in range(store.shape[1]):
        block = np.asarray(orbits[:, g], dtype=np.float32)
        for start in range(0, len(block), 4096):
            part = slice(start, start + 4096)
            codes = codes_of_activations(crosscoder, block[part])[:, features]
            larger = codes > best[part]
            best[part] = np.where(larger, codes, best[part])
            element[part] = np.where(larger, g, element[part])
    found = []
    for column in range(len(features)):
        first: dict[int, int] = {}
        for row in np.argsort(-best[:, column], kind="stable"):
            first.setdefault(int(ids[row]), int(row))
            if len(first) == 2:
                break
        found.append([(row, int(element[row, column])) for row in first.values()])
    return found


def compose(
    rows: list[list[np.ndarray | None]], names: list[str], path: Path, with_patches: bool
) -> None:
    """Draw rows of pictures with their names into one file."""
    words = (*COLUMNS, TURNED)
    if not with_patches:  # of photographs that are not to be passed on
        words, rows = words[2:], [row[2:] for row in rows]
    whole = Image.new("RGB", (MARGIN + TILE * len(words), TOP + TILE * len(rows)), "white")
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(size=11)
    for column, text in enumerate(words):
        draw.multiline_text((MARGIN + TILE * column + 3, 3), text, "black", font=font, spacing=1)
    for i, (row, name) in enumerate(zip(rows, names, strict=True)):
        draw.multiline_text((4, TOP + TILE * i + TILE // 2 - 14), name, "black", font=font)
        for column, picture in enumerate(row):
            if picture is None:
                continue
            tile = Image.fromarray(np.round(picture * 255).astype(np.uint8))
            tile = tile.resize((TILE - 2, TILE - 2), Image.Resampling.LANCZOS)
            whole.paste(tile, (MARGIN + TILE * column, TOP + TILE * i))
    whole.quantize(200, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def quartiles(values) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:5.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("network")
    parser.add_argument("photographs", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--weights")
    parser.add_argument("--each", type=int, default=3)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--without-patches", action="store_true")
    options = parser.parse_args()

    crosscoder = GroupCrosscoder.load(options.run / "crosscoder.safetensors")
    table = pd.read_csv(options.run / "features.csv")
    kinds = dict(zip(table["feature"], table["kind"], strict=True))
    features = chosen_features(table, options.count)
    store = OrbitStore(options.run / "orbits")
    network = load_network(options.network, options.weights)
    group = crosscoder.group_
    quarter = group.rotation_by(90)
    dataset = OrbitDataset(
        [options.photographs / image.name for image in store.images], network=network, group=group
    )
    places = strongest(crosscoder, store, features)
    flat = [place for pair in places for place in pair]
    ids, positions = np.asarray(store.image_ids), np.asarray(store.positions)
    patches = np.stack(
        [
            dataset.patches_at([int(ids[row])], [positions[row]], elements=[g])[0, 0]
            for row, g in flat
        ]
    ).reshape(len(features), 2, *dataset.patches([0]).shape[2:])

    start = time.perf_counter()
    made = visualize_features(
        crosscoder,
        network,
        features=features,
        elements=[group.identity, quarter],
        patches=patches[:, 0],
        n_controls=1,
        batch_size=options.batch_size,
        progress=True,
    )
    print(f"{len(features)} features: {time.perf_counter() - start:.0f} s")
    own = made.values[:, 0]

    def reached(pictures: np.ndarray) -> np.ndarray:
        measured = visualize_features(
            crosscoder,
            network,
            features=features,
            elements=[],
            patches=np.ascontiguousarray(pictures),
            n_controls=0,
            n_steps=1,
        )
        return measured.patch_values[:, 0] / own

    as_it_is = reached(made.images[:, 2])
    back = reached(np.rot90(made.images[:, 2], -1, axes=(1, 2)))
    encoder_turned = reached(np.rot90(made.images[:, 0], 1, axes=(1, 2)))
    others = reached(np.roll(made.images[:, 0], 1, axis=0))
    of_kind = np.array([kinds[feature] for feature in features])
    print("encoder's pre-activation, relative to that of its own picture: median (quartiles)")
    for kind in KINDS:
        of = of_kind == kind
        print(f"{kind}, {of.sum()} features")
        for name, values in (
            ("strongest patch", made.patch_values[:, 0] / own),
            ("block of turn 90°, turned back", back),
            ("block of turn 90°, as it is", as_it_is),
            ("encoder's, turned 90°", encoder_turned),
            ("block of identity", reached(made.images[:, 1])),
            ("picture of another feature", others),
        ):
            print(f"  {name:32} {quartiles(values[of])}")
    print("cosine with blocks: features", quartiles(made.values[:, 1:]), end="; ")
    print("control", made.control_values[0, 1:].round(2).tolist(), end="; ")
    print("strongest patch", quartiles(made.patch_values[:, 1:]))

    rows, names = [], []
    for kind in KINDS:
        for i in [i for i, feature in enumerate(features) if kinds[feature] == kind][
            : options.each
        ]:
            turned = np.rot90(made.images[i, 0])
            rows.append([*patches[i], *made.images[i], turned])
            names.append(f"{kind}\nfeature {features[i]}")
    for images in made.control_images:
        rows.append([None, None, *images, np.rot90(images[0])])
        names.append("control:\nrandom\ndirection")
    compose(rows, names, options.picture, not options.without_patches)


if __name__ == "__main__":
    main()
