"""Planted symmetries named again: stabilizers, near misses, families and poses.

    python benchmarks/planted_symmetry.py

Orbits of Dihedral(12) with 24 channels: one family for each of the 16 conjugacy classes of
subgroups, closed under right translation (108 atoms, three of them active in each orbit), and 60
smooth near misses (one active), fixed by nothing: of each, one of the 15 larger subgroups H fixes
the share 0.5, 0.6, 0.7 or 0.85. They are planted in one pose each: the poses of a smooth atom are
so alike that a dictionary joins them, and then there is nothing to name. A
crosscoder with twice as many atoms, TopK, without augmentation, learns from them; stabilizers are
named from orbits it has not seen, dealt to 200 pseudo-photographs. Planted and learned atoms are
matched one to one; a planted atom counts as recovered from a cosine of 0.9. Printed for each noise
(standard deviation, relative to the signal's), with 95 % intervals (t distribution over seeds):

- the share of planted atoms that are recovered, and of those with an exact symmetry and of near
  misses whose stabilizer class is named right; what is not recovered counts as wrong;
- the rate at which a feature is given *any* subgroup of which the planted atom's E_H is at most
  threshold - margin, over recovered near misses and over all planted atoms, and the same for the
  point estimate alone, without evidence;
- the adjusted Rand index of families over recovered atoms, and the share of poses that carry the
  planted medoid to the planted member.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import t
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import Bunch

from sklearn_groupcross import Dihedral, GroupCrosscoder, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.analysis import gather_evidence
from sklearn_groupcross.analysis._spectra import self_profiles
from sklearn_groupcross.groups import find_stabilizers

GROUP = Dihedral(12)
THRESHOLD, MARGIN, ERROR_RATE = 0.8, 0.1, 0.05
ENERGIES = (0.5, 0.6, 0.7, 0.85)  # of near misses


def planted(n_samples: int, noise: float, seed: int) -> Bunch:
    classes = [members[0] for members in GROUP.subgroup_classes()]
    larger = [subgroup for subgroup in classes for _ in ENERGIES if subgroup.order > 1]
    settings = {"group": GROUP, "n_channels": 24, "noise": 0.0, "random_state": seed}
    exact = make_orbits(
        n_samples, n_families=len(classes), stabilizers=classes, n_active=3, **settings
    )
    missed = make_orbits(
        n_samples,
        n_families=len(larger),
        stabilizers=larger,
        smoothness=0.8,
        energies=list(ENERGIES) * (len(classes) - 1),
        closed=False,
        n_active=1,
        **settings,
    )
    orbits = exact.orbits + missed.orbits
    draws = np.random.default_rng(seed).standard_normal(orbits.shape, dtype=np.float32)
    return Bunch(
        orbits=orbits + np.float32(noise * orbits.std()) * draws,
        components=np.concatenate([exact.components, missed.components]),
        families=np.concatenate([exact.families, len(classes) + missed.families]),
        stabilizers=exact.stabilizers + missed.stabilizers,
        exact=np.arange(len(exact.components) + len(missed.components)) < len(exact.components),
    )


def measure(data, crosscoder: GroupCrosscoder, n_training: int) -> dict[str, float]:
    m = len(data.components)
    learned = crosscoder.components_ / np.linalg.norm(crosscoder.components_, axis=1, keepdims=True)
    cosines = data.components.reshape(m, -1) @ learned.T
    _, columns = linear_sum_assignment(-cosines)
    recovered = cosines[np.arange(m), columns] > 0.9
    held_out = data.orbits[n_training:]
    images = np.arange(len(held_out)) % 200
    evidence = gather_evidence(crosscoder, held_out, images, device="cpu")
    named, confidence = evidence.name(THRESHOLD, margin=MARGIN, error_rate=ERROR_RATE)
    named = [named[j] for j in columns]
    atoms = learned.reshape(len(learned), GROUP.order, -1)[columns]
    points = find_stabilizers(GROUP, self_profiles(atoms, GROUP), THRESHOLD)

    profiles = self_profiles(data.components.astype(np.float64), GROUP)
    exact = data.exact
    # a near miss has no exact symmetry: right is what the rule makes of the planted atom itself
    truths = find_stabilizers(GROUP, profiles, THRESHOLD)
    right = recovered & np.array(
        [s.class_name == u.class_name for s, u in zip(named, truths, strict=True)]
    )

    def false(found):  # given a subgroup that fixes too little of the planted atom
        energy = [profiles[i, list(s.subgroup.elements)].mean() for i, s in enumerate(found)]
        return np.array(energy) <= THRESHOLD - MARGIN + 1e-6

    near = recovered & ~exact
    analysis = SymmetryAnalyzer(group=GROUP, device="cpu").fit(atoms[recovered])
    alone = analysis.labels_ < 0
    labels = np.where(alone, m + np.arange(len(alone)), analysis.labels_)
    truth, blocks = data.families[recovered], data.components[recovered]
    poses = []
    for family in analysis.families_:
        for member, pose in zip(family.members, family.poses, strict=True):
            moved = blocks[family.medoid][GROUP.right_translation(pose)]
            poses.append(float((moved * blocks[member]).sum()) > 1 - 1e-4)
    return {
        "recovered, exact": recovered[exact].mean(),
        "recovered, near misses": recovered[~exact].mean(),
        "class right, exact": right[exact].mean(),
        "class right, near misses": right[~exact].mean(),
        "class right, all": right.mean(),
        "class right, exact, of the recovered": right[exact & recovered].mean(),
        "false names, near misses": false(named)[near].mean() if near.any() else np.nan,
        "false names, all planted": false(named).mean(),
        "false names, near misses, no evidence": (
            false(points)[near].mean() if near.any() else np.nan
        ),
        "with evidence": np.isfinite(confidence[columns][recovered]).mean(),
        "confidence where right": np.nanmean(confidence[columns][right]) if right.any() else np.nan,
        "families, ARI": adjusted_rand_score(truth, labels),
        "poses right": np.mean(poses),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--noises", type=float, nargs="+", default=[0.05, 0.3, 1.0])
    parser.add_argument("--samples", type=int, default=16_000, help="orbits to train on")
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--atoms", type=int, default=336, help="atoms that are learned")
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    options = parser.parse_args()
    print(f"threshold {THRESHOLD}, margin {MARGIN}, stated error rate {ERROR_RATE}")
    for noise in options.noises:
        print(f"noise {noise}")
        results = []
        for seed in range(options.seeds):
            start = time.perf_counter()
            data = planted(options.samples + 4000, noise, seed)
            crosscoder = GroupCrosscoder(
                group=GROUP,
                n_features=options.atoms,
                activation="topk",
                k=options.k,
                max_epochs=options.epochs,
                batch_size=options.batch,
                learning_rate=options.learning_rate,
                device="cpu",
                random_state=seed,
            ).fit(data.orbits[: options.samples])
            trained = time.perf_counter() - start
            results.append(measure(data, crosscoder, options.samples))
            seconds = time.perf_counter() - start
            numbers = ", ".join(f"{v:.3f}" for v in results[-1].values())
            print(f"  seed {seed}: {numbers}  ({trained:.0f} of {seconds:.0f} s)", flush=True)
        for name in results[0]:
            values = np.array([result[name] for result in results])
            values = values[~np.isnan(values)]
            half = np.nan
            if len(values) > 1:
                half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
            mean = values.mean() if len(values) else np.nan
            print(f"  {name}: {mean:.3f} ± {half:.3f}", flush=True)


if __name__ == "__main__":
    main()
