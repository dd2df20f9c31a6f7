"""Curves, edges, lines and corners by probes: on other radii, widths, angles and shades.

$ python benchmarks/probe_kinds.py bvlc_googlenet.safetensors FOLDER MODEL...

Layer ``inception_3b_output``. FOLDER keeps the readings of probes. Two sets of them share no
radius, no width, no angle, no pair of shades and no position:

- first: circles of 10, 16 and 27 px, strokes of 2 and 4 px, corners of 30, 60, 90 and 120°, bright
  and dark on grey;
- second: circles of 12.5, 18 and 31 px, strokes of 2.5 and 5 px, corners of 40, 70, 110 and 130°,
  bright on dark and dark on bright.

Planted: for each class and each of 16 orientations three linear readouts (ridge) of the layer's
activations, each from a random half of the first set's probes of each class at two of its three
positions, 1 on probes of the class in that orientation and 0 on all others. `probe_kinds` names
them from the second set. Printed: how often the name is right; the AUC of each class's selectivity
for telling its readouts from the others, the class that was planted as the truth; and the AUC of a
readout's largest response over orientations for telling probes of its class from others. Controls:
the same readouts with their classes dealt out, and random directions with the same classes.

Features: directed features of each MODEL, and the layer's neurons, are named from the first set.
Printed, for the features with a name: how often the second set names the same class, whatever the
limits; the AUC of the second set's selectivity for telling features named so from all the others;
and, within a feature, the AUC of its largest responses on probes of the second set for telling the
class it was named after from the other classes, averaged. Controls: names dealt out among the
features, and random directions with names dealt out. Error rates are those of `probe_kinds`.

Intervals of 95 %: bootstrap over readouts or features, 1000 times. No rule was settled on the
second set.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import Ridge

from sklearn_groupcross import GroupCrosscoder, SymmetryAnalyzer, load_network
from sklearn_groupcross.faithfulness import (
    PROBE_CLASSES,
    ProbeReadings,
    probe_kinds,
    read_probes,
    shape_probes,
    untrained,
)

LAYER, N_TURNS, N_POSITIONS, N_RESAMPLES = "inception_3b_output", 16, 3, 1000
SETS = {
    "first": shape_probes((10, 16, 27), (2, 4), (30, 60, 90, 120), ((1.0, 0.5), (0.0, 0.5))),
    "second": shape_probes(
        (12.5, 18, 31), (2.5, 5), (40, 70, 110, 130), ((0.85, 0.25), (0.15, 0.6))
    ),
}
SEEDS = {"first": 0, "second": 1}  # of the positions


def read(network, name: str, which: str, folder: Path) -> ProbeReadings:
    file = folder / f"probes-{which}-{name}.npy"
    if not file.exists():
        readings = read_probes(
            network,
            LAYER,
            probes=SETS[name],
            n_turns=N_TURNS,
            n_positions=N_POSITIONS,
            random_state=SEEDS[name],
        )
        np.save(file, readings.activations)
    return ProbeReadings(np.load(file), tuple(SETS[name]))


def auc(scores: np.ndarray, truth: np.ndarray) -> float:
    n, m = int(truth.sum()), int((~truth).sum())
    if n == 0 or m == 0:
        return float("nan")
    return float((rankdata(scores)[truth].sum() - n * (n + 1) / 2) / (n * m))


def resampled(statistic, n: int, rng: np.random.Generator) -> str:
    values = [statistic(rng.integers(n, size=n)) for _ in range(N_RESAMPLES)]
    low, high = np.nanquantile(values, [0.025, 0.975])
    return f"{statistic(np.arange(n)):.3f} ({low:.3f} to {high:.3f})"


def plant(readings: ProbeReadings, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Readouts of every class and orientation, their classes: (n, d), (n,)."""
    kinds = np.array([probe.kind for probe in readings.probes])
    X = readings.activations
    directions, classes = [], []
    for kind in PROBE_CLASSES:
        for turn in range(N_TURNS):
            for _ in range(3):
                # half of each class, so that none is missing
                half = [
                    rng.permutation(np.flatnonzero(kinds == c))[: -(-(kinds == c).sum() // 2)]
                    for c in PROBE_CLASSES
                ]
                chosen = np.concatenate(half)
                positions = rng.permutation(N_POSITIONS)[:2]
                part = X[chosen][:, positions]
                target = np.zeros(part.shape[:3])
                target[kinds[chosen] == kind, :, turn] = 1.0
                x = part.reshape(-1, part.shape[-1]).astype(np.float64)
                scale = np.sqrt((x**2).mean())
                ridge = Ridge(alpha=1.0).fit(x / scale, target.ravel())
                directions.append(ridge.coef_)
                classes.append(kind)
    return np.stack(directions), np.array(classes)


def probe_aucs(found, classes: np.ndarray) -> np.ndarray:
    """Of each direction: its largest responses on probes of its class against the others."""
    peaks = found.responses.max(axis=2)
    shown = np.array([probe.kind for probe in found.probes])
    return np.array([auc(p, shown == kind) for p, kind in zip(peaks, classes, strict=True)])


def report_by_class(
    selectivities: np.ndarray, classes: np.ndarray, rng: np.random.Generator
) -> None:
    for i, kind in enumerate(PROBE_CLASSES):
        truth, scores = classes == kind, selectivities[:, i]
        if truth.sum() < 3:
            print(f"    {kind:7} n = {truth.sum()}")
            continue
        text = resampled(lambda rows, s=scores, t=truth: auc(s[rows], t[rows]), len(scores), rng)
        print(f"    {kind:7} n = {truth.sum():3}, AUC {text}")


def report_planted(network, readings: dict, rng: np.random.Generator) -> None:
    planted, classes = plant(readings["trained", "first"], rng)
    dealt_out = rng.permutation(classes)
    print(f"{len(planted)} planted readouts, from the first set, named from the second")
    for title, directions, truth in (
        ("readouts", planted, classes),
        ("readouts, classes dealt out", planted, dealt_out),
        ("random directions", rng.standard_normal(planted.shape), classes),
    ):
        found = name(directions, network, readings, "second")
        aucs, stated = probe_aucs(found, truth), found.kinds != "other"
        print(f"  {title}:")
        print(f"    nearest class right {(found.nearest == truth).mean():.3f}")
        right = (found.kinds == truth)[stated].mean() if stated.any() else float("nan")
        print(f"    a class stated of {stated.mean():.3f}, right {right:.3f}")
        over_probes = resampled(lambda rows, a=aucs: np.nanmean(a[rows]), len(aucs), rng)
        print(f"    AUC over probes {over_probes}")
        report_by_class(found.selectivities, truth, rng)
        print(f"    controls that are given a class:\n{found.error_rates.round(3).to_string()}")


def name(encoder, network, readings: dict, which: str):
    return probe_kinds(
        encoder,
        network,
        LAYER,
        readings=readings["trained", which],
        untrained_readings=readings["untrained", which],
    )


def report_features(title: str, encoder, chosen: np.ndarray, network, readings: dict, rng) -> None:
    first, second = (name(encoder, network, readings, which) for which in SETS)
    kinds = first.kinds[chosen]
    stated = kinds != "other"
    rows = np.flatnonzero(chosen)[stated]
    counts = {kind: int((kinds == kind).sum()) for kind in (*PROBE_CLASSES, "other")}
    nearest = {kind: int((first.nearest[chosen] == kind).sum()) for kind in PROBE_CLASSES}
    print(f"{title}: {chosen.sum()}; named {counts}; nearest {nearest}")
    shares = ", ".join(f"{counts[kind] / len(kinds):.3f}" for kind in PROBE_CLASSES)
    print(f"  limits {first.limits.round(2).tolist()}; shares named {shares}")
    print(f"  controls that are given a class:\n{first.error_rates.round(3).to_string()}")
    print(f"  fires on a probe of the nearest class: {first.fires[chosen].mean():.3f}")
    same = (first.nearest == second.nearest)[rows]
    print(
        "  second set: the same class of those named "
        f"{resampled(lambda r: same[r].mean(), len(rows), rng)}, "
        f"of all {(first.nearest == second.nearest)[chosen].mean():.3f}"
    )
    aucs = probe_aucs(second, first.kinds)[rows]
    dealt = rng.permutation(first.kinds[rows])
    control = first.kinds.copy()
    control[rows] = dealt
    of_dealt = probe_aucs(second, control)[rows]
    mean = resampled(lambda r: np.nanmean(aucs[r]), len(rows), rng)
    print(f"  AUC over probes, within a feature {mean}; names dealt out {np.nanmean(of_dealt):.3f}")
    shown = np.full(int(chosen.sum()), "other", dtype=object)
    shown[stated] = kinds[stated]
    part = second.selectivities[chosen]
    print("  AUC over features, named so by the first set against all others:")
    report_by_class(part, shown, rng)
    print("  names dealt out among all:")
    report_by_class(part, rng.permutation(shown), rng)


def main(weights: str, folder: str, *models: str) -> None:
    out, rng = Path(folder), np.random.default_rng(0)
    out.mkdir(parents=True, exist_ok=True)
    network = load_network("bvlc_googlenet", weights)
    networks = {"trained": network, "untrained": untrained(network, 0)}
    readings = {
        (which, name): read(networks[which], name, which, out)
        for which in networks
        for name in SETS
    }
    print({name: len(probes) for name, probes in SETS.items()}, "probes")
    report_planted(network, readings, rng)
    neurons = np.eye(readings["trained", "first"].activations.shape[-1])
    report_features("neurons", neurons, np.ones(len(neurons), dtype=bool), network, readings, rng)
    for model in models:
        crosscoder = GroupCrosscoder.load(model)
        directed = SymmetryAnalyzer().fit(crosscoder).kinds_ == "directed"
        title = f"directed features of {Path(model).stem}"
        report_features(title, crosscoder, directed, network, readings, rng)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
