"""What makes features hold: found again by another seed, on the same and on other photographs.

    python benchmarks/what_holds.py PHOTOGRAPHS WEIGHTS FOLDER SETTING ...
    python benchmarks/what_holds.py PHOTOGRAPHS WEIGHTS FOLDER final --seeds 5 --halves

Orbits of bvlc_googlenet under Dihedral(32), at `inception_3b_output`, 100 positions a photograph,
go to FOLDER once; so do fitted dictionaries, and a run that is stopped goes on. 120 photographs are
held out. Without SETTING, the settings are listed. ``--halves`` fits each seed on every second
photograph too, the odd seeds on the others: what is found again then is on different photographs.

For each setting one line: variance explained on photographs held out (and in training), the
coordinates that were learned, minutes of a fit; and the share of features that are found again in
another run (one-to-one partner of cosine 0.7 or more, up to the group), averaged over all pairs:
of all that fire on photographs held out, of those that fire on 1 % of their orbits, and of all
against atoms whose channels have random signs (the null). Families are those of `SymmetryAnalyzer`.
"""

from __future__ import annotations

import argparse
import time
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from measuring import processor

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, SymmetryAnalyzer
from sklearn_groupcross.analysis import match_dictionaries
from sklearn_groupcross.model_selection import collect_statistics
from sklearn_groupcross.networks import load_network

GROUP = Dihedral(32)
N_HELD_OUT, N_POSITIONS, N_PHOTOGRAPHS = 120, 100, 604
#: What all settings have, but for what they name.
COMMON: dict[str, Any] = {
    "n_features": 1024, "activation": "topk", "k": 32, "augment": True, "compression": 0.8,
    "batch_size": 1024, "max_epochs": 20, "learning_rate": 3e-3,
}  # fmt: skip
#: What `groupcross run` does at this layer.
FINAL: dict[str, Any] = {"n_features": 768, "k": 48, "max_epochs": 60, "learning_rate": 6e-3}
SETTINGS: dict[str, dict[str, Any]] = {
    "base": {},
    "final": FINAL,
    "final, not augmented": FINAL | {"augment": False},
    "final, 0.9 kept": FINAL | {"compression": 0.9},
    "final, 256 atoms": FINAL | {"n_features": 256},
    "final, 1536 atoms": FINAL | {"n_features": 1536},
    "final, 2048 atoms": FINAL | {"n_features": 2048},
    "final, 4096 atoms": FINAL | {"n_features": 4096},
    "final, k = 16": FINAL | {"k": 16},
    "final, 25 positions": FINAL | {"n_positions": 25},
    "final, 200 photographs": FINAL | {"n_photographs": 200},
    "final, 400 photographs": FINAL | {"n_photographs": 400},
    "not augmented": {"augment": False},
    "0.6 kept": {"compression": 0.6},
    "0.7 kept": {"compression": 0.7},
    "0.9 kept": {"compression": 0.9},
    "512 atoms": {"n_features": 512},
    "2048 atoms": {"n_features": 2048},
    "k = 16": {"k": 16},
    "k = 64": {"k": 64},
    "40 passes": {"max_epochs": 40},
    "80 passes": {"max_epochs": 80},
    "learning rate 0.01": {"learning_rate": 1e-2},
    "long decay": {"decay": 0.8},
    "k-means start": {"dict_init": "k-means"},
    "final, 100 photographs, 0.6 kept": FINAL | {"n_photographs": 100, "compression": 0.6},
    "final, 100 photographs": FINAL | {"n_photographs": 100},
    "final, 100 photographs, 0.9 kept": FINAL | {"n_photographs": 100, "compression": 0.9},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("photographs", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("settings", nargs="*", metavar="SETTING")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--halves", action="store_true", help="each seed on its own half")
    options = parser.parse_args()
    if not options.settings:
        print("\n".join(SETTINGS))
        return
    print(processor())
    train, held_out = (read_orbits(options, part) for part in ("train", "held-out"))
    for name in options.settings:
        print(measure(options, name, train, held_out), flush=True)


def read_orbits(options: argparse.Namespace, part: str) -> np.ndarray:
    """Orbits (n, 64, 480) of the photographs of a part, as a memory map."""
    path = options.folder / f"orbits-{part}.npy"
    if not path.exists():
        options.folder.mkdir(parents=True, exist_ok=True)
        photographs = sorted(options.photographs.glob("*.jpg"))
        order = np.random.default_rng(0).permutation(len(photographs))
        n_train = len(photographs) - N_HELD_OUT
        chosen = order[:n_train] if part == "train" else order[n_train:]
        OrbitDataset(
            [photographs[i] for i in chosen],
            network=load_network("bvlc_googlenet", options.weights),
            layer="inception_3b_output",
            group=GROUP,
            n_positions=N_POSITIONS,
            random_state=0,
        ).as_array(path, progress=True)
    return np.load(path, mmap_mode="r")


def measure(options: argparse.Namespace, name: str, train: np.ndarray, held_out: np.ndarray) -> str:
    """Fit a setting with all seeds, and describe what came out in a line."""
    fits = [fit(options, name, seed, train) for seed in range(options.seeds)]
    statistics = [collect_statistics(fitted, held_out) for fitted, _ in fits]
    frequencies = [each.frequencies for each in statistics]
    shares = [
        found_again(fits[i][0], fits[j][0], frequencies[i])
        for i, j in permutations(range(options.seeds), 2)
        if not options.halves or (i - j) % 2
    ]
    fires, often, null = np.mean(shares, axis=0)
    analysis = SymmetryAnalyzer().fit(fits[0][0])
    explained = np.mean([each.explained_variance for each in statistics])
    in_training = np.mean([1 - fitted.history_["fvu"][-1] for fitted, _ in fits])
    minutes = np.mean([minutes for _, minutes in fits])
    return (
        f"{name:33} explained {explained:.3f} (training {in_training:.3f})  "
        f"coordinates {fits[0][0].n_coordinates_:5d}  {minutes:4.1f} min  "
        f"found again: all {fires:.3f}, firing on 1 % {often:.3f}, null {null:.3f}  "
        f"{len(analysis.families_)} families of {(analysis.labels_ >= 0).sum()} features"
    )


def fit(
    options: argparse.Namespace, name: str, seed: int, train: np.ndarray
) -> tuple[GroupCrosscoder, float]:
    """Fit a setting with a seed, or load what was fitted; and the minutes that it took."""
    changes = dict(SETTINGS[name])
    n_photographs = changes.pop("n_photographs", N_PHOTOGRAPHS)
    which = f"{name}-seed {seed}{'-half' if options.halves else ''}".replace(" ", "_")
    path = options.folder / f"{which}.safetensors"
    took = path.with_suffix(".minutes")
    if path.exists():
        return GroupCrosscoder.load(path), float(took.read_text())
    n_positions = changes.pop("n_positions", N_POSITIONS)
    rows = np.arange(n_photographs * N_POSITIONS)
    orbits: Any = train[: len(rows)]
    if n_positions < N_POSITIONS:
        orbits = np.asarray(orbits[rows % N_POSITIONS < n_positions])
    if options.halves:
        photograph = np.arange(len(train)) // N_POSITIONS
        orbits = np.asarray(train[photograph % 2 == seed % 2])
    start = time.perf_counter()
    if changes.get("dict_init") == "k-means":
        changes["dict_init"] = centers(orbits, seed)
    fitted = GroupCrosscoder(group=GROUP, random_state=seed, **{**COMMON, **changes}).fit(orbits)
    minutes = (time.perf_counter() - start) / 60
    fitted.set_params(dict_init=None).save(path)
    took.write_text(str(minutes))
    return fitted, minutes


def centers(orbits: np.ndarray, seed: int) -> np.ndarray:
    """Directions of the centers of k-means of some orbits, each translated at random."""
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import TruncatedSVD

    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(orbits), min(len(orbits), 10_000), replace=False))
    chosen = np.asarray(orbits[rows], dtype=np.float32)
    chosen -= chosen.mean(axis=(0, 1))
    for orbit, h in zip(chosen, rng.integers(GROUP.order, size=len(chosen)), strict=True):
        orbit[:] = orbit[GROUP.right_translation(h)]
    axes = TruncatedSVD(200, random_state=seed)
    coordinates = axes.fit_transform(chosen.reshape(len(chosen), -1))
    coordinates /= np.linalg.norm(coordinates, axis=1, keepdims=True)
    found = MiniBatchKMeans(COMMON["n_features"], n_init=1, random_state=seed).fit(coordinates)
    return axes.inverse_transform(found.cluster_centers_)


def found_again(
    first: GroupCrosscoder, second: GroupCrosscoder, frequencies: np.ndarray
) -> tuple[float, float, float]:
    """Shares found again: of what fires, of what fires on 1 %, and of what fires by chance."""
    rng = np.random.default_rng(0)
    atoms = second.components_.reshape(len(second.components_), GROUP.order, -1)
    scrambled = atoms * (rng.integers(0, 2, (len(atoms), 1, atoms.shape[2])) * 2 - 1)
    partners = [match_dictionaries(first, other, group=GROUP) for other in (second, scrambled)]
    has_partner, by_chance = (np.zeros(len(frequencies), dtype=bool) for _ in partners)
    for found, matching in zip((has_partner, by_chance), partners, strict=True):
        found[matching.pairs[matching.matched, 0]] = True
    fires = frequencies > 0
    return (
        has_partner[fires].mean(),
        has_partner[frequencies >= 0.01].mean(),
        by_chance[fires].mean(),
    )


if __name__ == "__main__":
    main()
