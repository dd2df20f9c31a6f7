"""Is a missing pose missing from the network, or from the dictionary? On planted data: who knows.

    python benchmarks/missing_poses.py

Planted: Dihedral(8), 48 channels, 8 families. From the *network* poses are taken at random, and
samples are sums of the atoms that are left. A crosscoder is fitted to them, and from its
*dictionary*, and from those of two other seeds, atoms are taken at random. Photographs are groups
of 20 samples that prefer some families. Then every gap is asked about, by two other seeds, by
orbits held out, and by both. Printed: area under the ROC curve, Brier score, and how often the
network lacked the pose among the gaps with a probability in each of five bins.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss, roc_auc_score

from sklearn_groupcross import Dihedral, GroupCrosscoder, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.analysis import missing_poses

GROUP, N_CHANNELS, N_FAMILIES, PER_IMAGE, N_IMAGES, N_ACTIVE = Dihedral(8), 48, 8, 20, 200, 4
LACKED, LOST = 0.2, 0.2  # shares of the atoms taken from the network, and from each dictionary
ATOM_MATCH = 0.7


def draw(network: np.ndarray, families: np.ndarray, noise: float, rng: np.random.Generator):
    """Orbits of sums of the network's atoms, and the photograph of each."""
    images = np.repeat(np.arange(N_IMAGES), PER_IMAGE)
    taste = rng.gamma(1.0, size=(N_IMAGES, N_FAMILIES))[:, families]
    rate = taste * rng.lognormal(0.0, 0.5, size=len(network))  # some poses are rarer
    codes = np.zeros((len(images), len(network)))
    for sample, image in enumerate(images):
        share = rate[image] / rate[image].sum()
        active = rng.choice(len(network), N_ACTIVE, replace=False, p=share)
        codes[sample, active] = 1 + rng.exponential(size=N_ACTIVE)
    orbits = np.tensordot(codes, network, axes=1)
    orbits += noise * orbits.std() * rng.standard_normal(orbits.shape)
    return orbits.astype(np.float32), images


def lose(crosscoder: GroupCrosscoder, rng: np.random.Generator) -> GroupCrosscoder:
    """Take atoms from a fitted dictionary."""
    lost = rng.random(len(crosscoder.components_)) < LOST
    for name in ("components_", "encoder_", "encoder_intercept_"):
        kept = getattr(crosscoder, name).copy()
        kept[lost] = 0
        setattr(crosscoder, name, kept)
    return crosscoder


def gaps(smoothness: float, noise: float, seed: int) -> pd.DataFrame:
    """Every gap of every family, with the truth and three probabilities."""
    rng = np.random.default_rng(seed)
    planted = make_orbits(
        2, group=GROUP, n_channels=N_CHANNELS, n_families=N_FAMILIES, smoothness=smoothness,
        random_state=seed,
    )  # fmt: skip
    kept = rng.random(len(planted.components)) >= LACKED
    network = planted.components[kept]
    orbits, images = draw(network, planted.families[kept], noise, rng)
    train = images < N_IMAGES // 2
    dictionaries = [
        lose(
            GroupCrosscoder(
                GROUP, len(network) + 20, activation="topk", k=N_ACTIVE, max_epochs=40,
                batch_size=128, random_state=10 * seed + s,
            ).fit(orbits[train]),
            rng,
        )
        for s in range(3)
    ]  # fmt: skip
    crosscoder, *others = dictionaries
    analysis = SymmetryAnalyzer().fit(crosscoder)
    held = (crosscoder, orbits[~train], images[~train])
    tables = {
        "both": missing_poses(analysis, *held, others=others),
        "orbits": missing_poses(analysis, *held),
        "others": missing_poses(analysis, others=others),
    }
    table = tables["both"]
    medoids = np.array([family.medoid for family in analysis.families_])
    atoms = analysis.components_[medoids[table["family"].to_numpy()]]
    atoms = atoms.reshape(len(atoms), GROUP.order, -1)
    atoms /= np.linalg.norm(atoms, axis=(1, 2), keepdims=True)
    turned = [a[GROUP.right_translation(h)] for a, h in zip(atoms, table["pose"], strict=True)]
    cosines = np.reshape(turned, (len(turned), -1)) @ planted.components.reshape(len(kept), -1).T
    nearest = cosines.argmax(axis=1)
    table = pd.DataFrame({name: t["probability"] for name, t in tables.items()})
    table["lacked"] = ~kept[nearest]
    return table[cosines.max(axis=1) > ATOM_MATCH]  # families that are planted ones


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4)
    n = parser.parse_args().seeds
    bins = [0, 0.05, 0.3, 0.7, 0.95, 1]
    for smoothness, noise in ((0.0, 0.3), (1.0, 0.3)):
        table = pd.concat([gaps(smoothness, noise, seed) for seed in range(n)])
        lacked = table["lacked"].to_numpy()
        print(
            f"\nsmoothness {smoothness}, noise {noise}: {len(table)} gaps of {n} dictionaries, "
            f"{lacked.mean():.0%} of the network"
        )
        print("evidence    AUC  Brier   share lacked (gaps) at a probability in " + str(bins))
        for name in ("orbits", "others", "both"):
            p = table[name].to_numpy()
            cut = np.clip(np.searchsorted(bins, p, side="right") - 1, 0, 4)
            cells = [
                f"{lacked[cut == b].mean():.2f} ({(cut == b).sum()})" if (cut == b).any() else "-"
                for b in range(5)
            ]
            scores = f"{roc_auc_score(lacked, p):.3f}  {brier_score_loss(lacked, p):.3f}"
            print(f"{name:8} {scores}   " + "  ".join(f"{c:>11}" for c in cells), flush=True)


if __name__ == "__main__":
    main()
