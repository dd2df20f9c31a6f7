"""Do families of a group crosscoder separate more clearly than a plain sparse autoencoder's?

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE \\
        python benchmarks/separation.py PHOTOGRAPHS bvlc_googlenet.safetensors FOLDER

Orbits of Dihedral(8) at ``inception_3b_output``, 40 positions of each of 240 photographs. On half
of the photographs dictionaries of 512 atoms, TopK with k = 24, are fitted, two seeds of each
kind: a group crosscoder without augmentation, one with it (which makes families more likely to be
complete by construction), and a plain sparse autoencoder of the identity block. On the other half,
which no dictionary has seen, `compare_separation` lifts them all to the orbit and measures them
alike. A second control are orbits without a symmetry: every block but the identity is taken from
another sample, drawn anew for each block.

Then `stability`: of the seeds, and of two dictionaries fitted on two halves of the
photographs: of their own atoms, and of all dictionaries lifted to the same orbits.

Orbits and fitted dictionaries are kept in FOLDER: a run that is stopped goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, load_network
from sklearn_groupcross.actions import ImageAction
from sklearn_groupcross.analysis import compare_separation, lift_dictionary, stability
from sklearn_groupcross.orbits import ImageSource

N_IMAGES, N_POSITIONS, SEEDS = 240, 40, (0, 1)
GROUP = Dihedral(8)
RADIUS = 46  # of whole receptive fields
FAMILY_DISTANCES = (0.3, 0.4, 0.5)
KINDS = {"crosscoder": (GROUP, False), "augmented": (GROUP, True), "autoencoder": (None, False)}
SHOWN = (
    "n_features", "l0", "explained_variance", "ridge", "n_families", "share_in_families",
    "reproducibility", "silhouette", "silhouette_all", "silhouette_map",
)  # fmt: skip


def fitted(kind: str, seed: int, orbits: np.ndarray, file: Path) -> GroupCrosscoder:
    if file.exists():
        return GroupCrosscoder.load(file)
    group, augment = KINDS[kind]
    crosscoder = GroupCrosscoder(
        group,
        512,
        activation="topk",
        k=24,
        augment=augment,
        max_epochs=20,
        precision="bfloat16",
        random_state=seed,
    ).fit(orbits if group else orbits[:, :1])
    crosscoder.save(file)
    return crosscoder


def without_symmetry(orbits: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    shuffled = orbits.copy()
    for g in range(1, GROUP.order):
        shuffled[:, g] = orbits[rng.permutation(len(orbits)), g]
    return shuffled


def with_range(values: pd.Series) -> str:
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"


def report_separation(
    dictionaries: dict[str, GroupCrosscoder], orbits: np.ndarray, image_ids: np.ndarray, **options
) -> None:
    table = compare_separation(dictionaries, orbits, image_ids, group=GROUP, **options)
    table["kind"] = [name.split()[0] for name in table["dictionary"]]
    intervals = ["silhouette", "silhouette_all", "silhouette_map"]
    for (distance, kind), rows in table.groupby(["family_distance", "kind"], sort=False):
        print(
            f"  family_distance={distance}, {kind}: mean of {len(rows)} seeds (smallest to largest)"
        )
        for column in SHOWN:
            print(f"    {column:20} {with_range(rows[column])}")
        first = rows.iloc[0]
        for column in intervals:
            low, high = first[f"{column}_low"], first[f"{column}_high"]
            print(f"    {column} of seed 0, 95 %: {low:.3f} to {high:.3f}")
        undefined = {reason for reason in rows["undefined"] if reason}
        print(f"    undefined: {'; '.join(undefined)}", flush=True)


def report_stability(what: str, atoms: list[np.ndarray]) -> None:
    for up_to_group in (True, False):
        summary = stability(atoms, group=GROUP, up_to_group=up_to_group).summary
        means = summary.drop(columns="dictionary").mean()
        print(
            f"  {what:34} {'up to the group' if up_to_group else 'in one pose':16}"
            f" stable {means.stable_share:.3f}"
            f" [{means.stable_share_low:.3f}, {means.stable_share_high:.3f}]"
            f" null {means.null_stable_share:.3f}"
            f"   best similarity {means.mean_max_similarity:.3f}"
            f" null {means.null_mean_max_similarity:.3f}",
            flush=True,
        )


def main(images: str, weights: str, folder: str) -> None:
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    files = ImageSource(images)
    files = files[np.linspace(0, len(files) - 1, N_IMAGES).astype(int)]
    dataset = OrbitDataset(
        files,
        network=load_network("bvlc_googlenet", weights),
        action=ImageAction(GROUP),
        n_positions=N_POSITIONS,
        radius=RADIUS,
    )
    store = dataset.extract(out / "orbits", progress=True)
    image_ids = store.image_ids
    fit, test = image_ids % 2 == 0, image_ids % 2 == 1
    orbits, held_out = store[fit].astype(np.float32), store[test].astype(np.float32)
    dictionaries = {
        f"{kind} {seed}": fitted(kind, seed, orbits, out / f"{kind}-{seed}.safetensors")
        for seed in SEEDS
        for kind in KINDS
    }
    print("held-out photographs")
    options = {"family_distance": FAMILY_DISTANCES}
    report_separation(dictionaries, held_out, image_ids[test], **options)
    print("held-out photographs, blocks of other samples")
    options = {"embedding": False}
    report_separation(dictionaries, without_symmetry(held_out), image_ids[test], **options)

    print("stability")
    first = image_ids[fit] % 4 == 0
    for kind in KINDS:
        halves = [
            fitted(kind, 0, orbits[rows], out / f"{kind}-half-{i}.safetensors")
            for i, rows in enumerate((first, ~first))
        ]
        seeds = [dictionaries[f"{kind} {seed}"] for seed in SEEDS]
        for what, compared in (("two seeds", seeds), ("two halves", halves)):
            if kind != "autoencoder":
                report_stability(f"{kind}, {what}", [c.components_ for c in compared])
            lifted = [lift_dictionary(c, held_out, group=GROUP, ridge=1.0) for c in compared]
            report_stability(f"{kind}, {what}, lifted", lifted)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
