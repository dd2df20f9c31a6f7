"""Whether named symmetries hold where nothing was fitted: held-out photographs, and drawn probes.

    THP_MEM_ALLOC_ENABLE=1 python benchmarks/symmetry_on_photographs.py PHOTOGRAPHS WEIGHTS FOLDER

TopK dictionaries of 1024 atoms, k = 24, augment=True, two seeds, on the orbits of 200 photographs
at ``inception_3b_output`` under Dihedral(16); 40 photographs are held out. Orbits (those of
``sparsity_frontier.py``), dictionaries and readings of probes are kept in FOLDER: a run that is
stopped goes on. Stabilizers are named by `SymmetryAnalyzer`, from the decoder, threshold 0.8.

Held-out photographs: for every feature with a stabilizer H between the trivial and the whole group
that fires on 1 % of the held-out orbits or more, `code_profiles` at the h in H other than the
identity, against

- outside: the mean over all h outside H;
- matched: the mean over those outside H of the same kind, turns for turns, mirrors for mirrors;
- best: the largest of any h outside H, mostly a neighbour of an element of H.

The control gives every feature the stabilizer of another one. Intervals of 95 % are over
photographs, drawn with replacement.

Probes: step edges, corners and arcs in 32 orientations and four contrasts, read at eight positions
(`probe_orbits`), none of which is fixed by a half turn. A probe excites a feature if in some
orientation the code, averaged over positions, is at least the feature's median code where it fires
on held-out photographs; features excited by three probes or more are scored, by the correlation of
their codes on a probe and on the probe after a half turn, over all orientations of the probes that
excite them. Printed: the AUC of this score for telling features named half-turn invariant from the
others, by class of the name and by type of probe; intervals over features, over shapes, and over
both.

FOLDER/symmetry-SEED.csv has a line a feature, FOLDER/symmetry.png the figure. The rules of scoring
were settled on seed 0, before seed 1 was looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sparsity_frontier import GROUP, N_HELD_OUT, read_orbits

from sklearn_groupcross import Cyclic, GroupCrosscoder, SymmetryAnalyzer, load_network
from sklearn_groupcross.analysis import code_profiles
from sklearn_groupcross.orbits import Arc, Corner, Edge, probe_orbits

SEEDS, N_RESAMPLES = (0, 1), 1000
SHAPES = (
    Edge(),
    *(Corner(degrees) for degrees in (30, 60, 90, 120)),
    *(Arc(radius, width) for radius in (8, 12, 18, 27, 40) for width in (2, 5)),
)
GRAYS = ((1.0, 0.5), (0.0, 0.5), (0.7, 0.3), (0.3, 0.7))  # of the shape, of the rest
CIRCLE, FIRES, EXCITED_BY = Cyclic(32), 0.01, 3
HALF_TURN = GROUP.rotation_by(180)


def fitted(seed: int, train, folder: Path) -> GroupCrosscoder:
    file = folder / f"crosscoder-{seed}.safetensors"
    if not file.exists():
        GroupCrosscoder(
            GROUP,
            1024,
            activation="topk",
            k=24,
            augment=True,
            max_epochs=12,
            precision="bfloat16",
            random_state=seed,
            checkpoint_dir=folder,
        ).fit(train).save(file)
    return GroupCrosscoder.load(file)


def read_probes(weights: str, folder: Path) -> np.ndarray:
    """Activations (greys, shapes, positions, orientations, channels)."""
    file = folder / "probes.npy"
    if not file.exists():
        network = load_network("bvlc_googlenet", weights)
        read = [
            probe_orbits(SHAPES, network, CIRCLE, foreground=shape, background=rest)
            for shape, rest in GRAYS
        ]
        np.save(file, np.stack(read))
    return np.load(file)


def contrast(profiles: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Mean within H, outside, outside of the same kind, and best outside: (m, 4).

    `members` (m, order) says which h lie in H. NaN where there are none to take the mean of.
    """
    inside, outside = members.copy(), ~members
    inside[:, 0] = False
    matched = np.zeros(len(profiles))
    for kind in (~GROUP.mirrored, GROUP.mirrored):
        share = (inside & kind).sum(axis=1) / inside.sum(axis=1)
        of_kind = mean_where(profiles, outside & kind)
        matched += np.where(share > 0, share * of_kind, 0.0)
    best = np.where(outside, profiles, -np.inf).max(axis=1)
    means = (mean_where(profiles, inside), mean_where(profiles, outside))
    return np.stack([*means, matched, best], axis=1)


def mean_where(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    n = chosen.sum(axis=1)
    return np.where(n > 0, np.where(chosen, values, 0.0).sum(axis=1) / np.maximum(n, 1), np.nan)


def shares(values: np.ndarray) -> np.ndarray:
    """Share of features whose code is more alike inside than outside, matched, best."""
    comparable = np.isfinite(values[:, 1:])
    return ((values[:, :1] > values[:, 1:]) & comparable).sum(axis=0) / comparable.sum(axis=0)


def interval(samples: list | np.ndarray) -> str:
    low, high = np.nanquantile(samples, [0.025, 0.975], axis=0)
    return f"({low:.3f} to {high:.3f})"


def report_invariance(profiles, members, table: pd.DataFrame) -> pd.DataFrame:
    """Print the first part; the table gains what belongs to each feature."""
    order = members.sum(axis=1)
    named = (order > 1) & (order < GROUP.order)
    rows = np.flatnonzero(named & table["fires"].to_numpy())
    values = contrast(profiles.profiles[rows], members[rows])
    columns = ["inside", "outside", "matched", "best_outside"]
    table.loc[rows, columns] = values
    print(
        f"named {named.sum()} of {len(named)} features, and {(order == GROUP.order).sum()} round; "
        f"{len(rows)} of the named fire on {FIRES:.0%} of {profiles.n_orbits.sum()} held-out orbits"
    )
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(N_RESAMPLES):
        weights = np.bincount(rng.integers(N_HELD_OUT, size=N_HELD_OUT), minlength=N_HELD_OUT)
        drawn.append(shares(contrast(profiles.reweighted(weights)[rows], members[rows])))
    dealt = contrast(profiles.profiles[rows], members[rng.permutation(rows)])
    lines = zip(columns[1:], shares(values), np.transpose(drawn), shares(dealt), strict=True)
    for name, share, samples, control in lines:
        print(
            f"  inside > {name:13} {share:.3f} {interval(samples)}, names dealt out {control:.3f}"
        )
    by_class = table.loc[rows].groupby("class")[columns]
    print(by_class.median().round(2).assign(n=by_class.size()).to_string())
    failed = table.loc[rows][values[:, 0] <= values[:, 1]]
    rest = table.loc[rows].drop(failed.index)
    bad, good = failed["atom_outside"].median(), rest["atom_outside"].median()
    print(f"  {len(failed)} failures; the atom's own profile outside its stabilizer, median over")
    print(f"  features of its mean: {bad:.2f}, of the others {good:.2f}")
    print(failed[["symmetry", "n_firings", *columns, "atom_outside"]].round(2).to_string())
    return table


def half_turn_sums(codes: np.ndarray, excites: np.ndarray) -> np.ndarray:
    """n, Σ r, Σ r², Σ r r' over orientations of the probes that excite: (4, n_probes, m).

    r' is the code on the probe after a half turn: over the circle its sums are those of r.
    """
    turned = np.roll(codes, CIRCLE.n_turns // 2, axis=1)
    ones = np.full(excites.shape, float(codes.shape[1]))
    sums = (ones, codes.sum(axis=1), (codes**2).sum(axis=1), (codes * turned).sum(axis=1))
    return np.stack(sums) * excites


def half_turn_scores(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    n, first, squares, products = np.tensordot(sums, weights, axes=(1, 0))
    n = np.maximum(n, 1)
    variance, covariance = squares / n - (first / n) ** 2, products / n - (first / n) ** 2
    varies = variance > 1e-9 * squares / n
    return np.where(varies, covariance / np.where(varies, variance, 1.0), np.nan)


def auc(scores: np.ndarray, invariant: np.ndarray) -> float:
    known = np.isfinite(scores)
    if len(set(invariant[known])) < 2:
        return float("nan")
    return float(roc_auc_score(invariant[known], scores[known]))


def report_probes(crosscoder, probes, typical, table: pd.DataFrame) -> pd.DataFrame:
    """Print the second part; the table gains what belongs to each feature."""
    n_grays, n_shapes, n_positions, n_turns, width = probes.shape
    activations = probes.reshape(-1, n_positions * n_turns, width)
    codes = np.stack(
        [crosscoder.encode(a).reshape(n_positions, n_turns, -1).mean(axis=0) for a in activations]
    ).astype(np.float64)
    excites = codes.max(axis=1) >= typical
    sums, ones = half_turn_sums(codes, excites), np.ones(len(codes))
    scores = half_turn_scores(sums, ones)
    n_exciting = excites.sum(axis=0)
    table["n_probes"], table["probe_score"] = n_exciting, scores
    invariant = table["half_turn"].to_numpy()
    use = (n_exciting >= EXCITED_BY) & table["fires"].to_numpy() & np.isfinite(scores)
    rows = np.flatnonzero(use)
    print(f"probes excite {use.sum()} features, {invariant[use].sum()} of them half-turn invariant")
    rng, samples = np.random.default_rng(0), {"features": [], "shapes": [], "both": []}
    for _ in range(N_RESAMPLES):
        drawn = rng.choice(rows, len(rows))
        shapes = np.bincount(rng.integers(n_shapes, size=n_shapes), minlength=n_shapes)
        again = half_turn_scores(sums, np.tile(shapes, n_grays).astype(float))
        samples["features"].append(auc(scores[drawn], invariant[drawn]))
        samples["shapes"].append(auc(again[rows], invariant[rows]))
        samples["both"].append(auc(again[drawn], invariant[drawn]))
    intervals = ", ".join(f"{interval(values)} over {name}" for name, values in samples.items())
    print(f"  AUC {auc(scores[use], invariant[use]):.3f} {intervals}")
    for name in sorted(set(table["class"][use & invariant])):
        part = use & (~invariant | (table["class"] == name).to_numpy())
        chosen = scores[use & (table["class"] == name).to_numpy()]
        print(
            f"  {name} alone: n = {len(chosen)}, AUC {auc(scores[part], invariant[part]):.3f}, "
            f"median score {np.median(chosen):.2f}, of the others "
            f"{np.median(scores[use & ~invariant]):.2f}"
        )
    for kind in (Edge, Corner, Arc):
        these = np.tile([isinstance(shape, kind) for shape in SHAPES], n_grays)
        of_kind = half_turn_scores(sums, these.astype(float))[rows]
        known = np.isfinite(of_kind)
        print(
            f"  {kind.__name__} alone: {known.sum()} features, {invariant[rows][known].sum()} "
            f"invariant, AUC {auc(of_kind, invariant[rows]):.3f}"
        )
    rank = table.loc[use, ["probe_score", "profile_180"]].corr("spearman").iloc[0, 1]
    others = table[use & ~invariant]
    alike = others["probe_score"] > 0.6
    print(
        f"  rank correlation with the atom's profile at 180°: {rank:.2f}; {alike.sum()} others "
        f"score above 0.6, median profile {others['profile_180'][alike].median():.2f} against "
        f"{others['profile_180'][~alike].median():.2f}"
    )
    failed = table[use & invariant & (scores <= np.median(scores[use & ~invariant]))]
    print(f"  {len(failed)} invariant features score no more than the median of the others:")
    print(
        failed[["symmetry", "profile_180", "code_180", "n_probes", "probe_score"]]
        .round(2)
        .to_string()
    )
    return table.assign(scored=use)


def describe(crosscoder, profiles, typical) -> tuple[pd.DataFrame, np.ndarray]:
    analysis = SymmetryAnalyzer().fit(crosscoder)
    members = np.zeros((len(analysis.stabilizers_), GROUP.order), dtype=bool)
    for row, stabilizer in zip(members, analysis.stabilizers_, strict=True):
        row[list(stabilizer.subgroup.elements)] = True
    table = pd.DataFrame(
        {
            "symmetry": [s.name for s in analysis.stabilizers_],
            "class": [s.name.split(":")[0] for s in analysis.stabilizers_],
            "kind": analysis.kinds_,
            "half_turn": members[:, HALF_TURN],
            "profile_180": analysis.profiles_[:, HALF_TURN],
            "code_180": profiles.profiles[:, HALF_TURN],
            "atom_outside": mean_where(analysis.profiles_, ~members),
            "n_firings": profiles.n_firings,
            "fires": profiles.n_firings >= FIRES * profiles.n_orbits.sum(),
            "typical_code": typical,
        }
    )
    return table, members


def main(images: str, weights: str, folder: str) -> None:
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    train, held_out = read_orbits(images, weights, out)
    image_ids = np.arange(len(held_out)) * N_HELD_OUT // len(held_out)  # as many of each
    tables = []
    for seed in SEEDS:
        crosscoder = fitted(seed, train, out)
        print(f"seed {seed}: explained variance {crosscoder.score(held_out):.3f}", flush=True)
        profiles = code_profiles(crosscoder, held_out, image_ids)
        codes = crosscoder.transform(held_out)
        typical = np.array([np.median(c[c > 0]) if c.any() else np.inf for c in codes.T])
        table, members = describe(crosscoder, profiles, typical)
        kinds = table[table["fires"]].groupby("kind")["code_180"].agg(["size", "median"])
        print(f"correlation of codes at 180°, by kind:\n{kinds.round(2).to_string()}")
        table = report_invariance(profiles, members, table)
        table = report_probes(crosscoder, read_probes(weights, out), typical, table)
        table.to_csv(out / f"symmetry-{seed}.csv", index_label="feature")
        tables.append(table)
        sys.stdout.flush()
    draw(tables, out / "symmetry.png")


def draw(tables: list[pd.DataFrame], file: Path) -> None:
    """Inside against outside on the left, scores on probes by class on the right."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    table = pd.concat(tables)
    for name, part in table.dropna(subset="inside").groupby("class"):
        axes[0].plot(part["outside"], part["inside"], "o", ms=4, alpha=0.6, label=name)
    axes[0].axline((0, 0), slope=1, color="grey", lw=1)
    axes[0].set(
        xlabel="mean correlation of codes at h outside the stabilizer",
        ylabel="inside",
        title="held-out photographs",
    )
    axes[0].legend(title="stabilizer")
    scored = table[table["scored"]]
    names = sorted(
        set(scored["class"]), key=lambda c: (scored["half_turn"][scored["class"] == c].any(), c)
    )
    groups = [scored["probe_score"][scored["class"] == name] for name in names]
    axes[1].boxplot(groups, showfliers=False)
    rng = np.random.default_rng(0)
    for i, values in enumerate(groups, start=1):
        axes[1].plot(i + rng.uniform(-0.15, 0.15, len(values)), values, "k.", ms=3, alpha=0.4)
    axes[1].set_xticks(
        range(1, len(names) + 1), [f"{n}\n{len(g)}" for n, g in zip(names, groups, strict=True)]
    )
    axes[1].set(
        ylabel="correlation with the half-turned probe",
        xlabel="stabilizer, number of features",
        title="edges, corners and arcs",
    )
    figure.savefig(file, dpi=120)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
