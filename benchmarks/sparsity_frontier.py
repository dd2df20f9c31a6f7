"""Held-out explained variance against L0 on real orbits, by activation, and against plain SAEs.

    THP_MEM_ALLOC_ENABLE=1 python benchmarks/sparsity_frontier.py PHOTOGRAPHS WEIGHTS FOLDER

Orbits of 200 photographs at GoogLeNet's inception_3b_output under Dihedral(16) for training, of 40
others held out (kept in FOLDER: the first run takes some ten minutes to read them). For every
activation and sparsity a dictionary of 2048 atoms is trained for 8 epochs with the defaults (and
augment=True, as for photographs; bfloat16 products). A plain SAE is the same estimator with the
trivial group on the identity blocks.
Results go to FOLDER/frontier.csv as they come, one line a dictionary; lines that are there already
are not computed again. The last act draws FOLDER/frontier.svg.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import numpy as np

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, Trivial, load_network

GROUP = Dihedral(16)
N_TRAINING, N_HELD_OUT = 200, 40
SETTINGS = {  # l1 or k
    ("crosscoder", "relu"): (0.03, 0.06, 0.1, 0.12),
    ("crosscoder", "topk"): (16, 32, 64),
    ("sae", "topk"): (16, 32, 64),
    ("crosscoder", "batch_topk"): (16, 32, 64),
    ("crosscoder", "jumprelu"): (0.015, 0.03, 0.06, 0.12),
}
# Of these settings two seeds are run, of the others one: how large a difference means something.
REPEATED = {
    ("crosscoder", "relu", 0.1),
    ("crosscoder", "topk", 32),
    ("crosscoder", "batch_topk", 32),
    ("crosscoder", "jumprelu", 0.06),
    ("sae", "topk", 32),
}
KEY = ("model", "activation", "setting", "seed")
EXPLAINED = ("explained_variance", "explained_variance_identity")
COLORS = {"relu": "C0", "topk": "C1", "batch_topk": "C2", "jumprelu": "C3"}
COLUMNS = (*KEY, "l0", *EXPLAINED, "dead", "rare", "seconds")


def read_orbits(images: str, weights: str, folder: Path):
    """Memory maps of the training and the held-out orbits."""
    paths = sorted(Path(images).glob("*.jpg"))
    order = np.random.default_rng(0).permutation(len(paths))
    splits = {
        "train": order[:N_TRAINING],
        "held-out": order[N_TRAINING : N_TRAINING + N_HELD_OUT],
    }
    maps = []
    for name, chosen in splits.items():
        file = folder / f"orbits-{name}.npy"
        if not file.exists():
            network = load_network("bvlc_googlenet", weights)
            images = [paths[i] for i in chosen]
            OrbitDataset(images, network=network, group=GROUP).as_array(file, progress=True)
        maps.append(np.load(file, mmap_mode="r"))
    return maps


def measure(model: str, activation: str, setting: float, seed: int, train, held_out) -> dict:
    """Train one dictionary and measure it on orbits that it has not seen."""
    sparsity = {"k": setting} if "topk" in activation else {"l1": setting}
    if model == "sae":
        train, held_out = train[:, :1], held_out[:, :1]
    crosscoder = GroupCrosscoder(
        group=Trivial() if model == "sae" else GROUP,
        n_features=2048,
        activation=activation,
        augment=model == "crosscoder",
        max_epochs=8,
        precision="bfloat16",
        random_state=seed,
        **sparsity,
    )
    start = time.perf_counter()
    crosscoder.fit(train)
    seconds = time.perf_counter() - start
    codes = crosscoder.transform(held_out)
    identity = np.asarray(held_out[:, 0])
    atoms = crosscoder.components_[:, : identity.shape[1]]
    residual = identity - codes @ atoms - crosscoder.intercept_[: identity.shape[1]]
    frequencies = (crosscoder.transform(train) > 0).mean(axis=0)
    numbers = {
        "l0": (codes > 0).sum(axis=1).mean(),
        "explained_variance": crosscoder.score(held_out),
        "explained_variance_identity": 1
        - np.square(residual).sum() / np.square(identity - identity.mean(0)).sum(),
        "dead": int((frequencies == 0).sum()),
        "rare": int((frequencies < 1e-4).sum()),
        "seconds": seconds,
    }
    return {name: f"{value:.4f}" for name, value in numbers.items()}


def main(images: str, weights: str, folder: str) -> None:
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    train, held_out = read_orbits(images, weights, out)
    settings = [(*kind, setting) for kind, values in SETTINGS.items() for setting in values]
    runs = [(*setting, 0) for setting in settings]
    runs += [(*setting, 1) for setting in settings if setting in REPEATED]
    table = out / "frontier.csv"
    rows = list(csv.DictReader(table.open())) if table.exists() else []
    for run in runs:
        key = dict(zip(KEY, map(str, run), strict=True))
        if any(all(row[name] == value for name, value in key.items()) for row in rows):
            continue
        row = key | measure(*run, train, held_out)
        print(row, flush=True)
        rows.append(row)
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    draw(rows, out / "frontier.svg")


def draw(rows: list[dict], file: Path) -> None:
    """Frontiers over all blocks on the left, on the identity block on the right."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    titles = ("all 32 blocks", "identity block")
    for ax, column, title in zip(axes, EXPLAINED, titles, strict=True):
        for model, activation in dict.fromkeys((r["model"], r["activation"]) for r in rows):
            if model == "sae" and column == "explained_variance":
                continue  # it has no other block
            line = [
                r
                for r in rows
                if (r["model"], r["activation"], r["seed"]) == (model, activation, "0")
            ]
            line.sort(key=lambda r: float(r["l0"]))
            ax.plot(
                [float(r["l0"]) for r in line],
                [float(r[column]) for r in line],
                "o--" if model == "sae" else "o-",
                color="black" if model == "sae" else COLORS[activation],
                label=f"{'plain SAE, ' if model == 'sae' else ''}{activation}",
            )
        ax.set(xscale="log", xlabel="active features (L0), held out", title=title)
        ax.set_xticks([16, 32, 64, 128], minor=False)
        ax.minorticks_off()
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_ylabel("explained variance, held out")
        ax.legend()
    figure.savefig(file)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
