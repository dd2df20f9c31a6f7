"""Families of one symmetry: before and after, on real dictionaries and on planted ones.

    python benchmarks/family_symmetry.py DICTIONARY [OTHER_SEED]
    python benchmarks/family_symmetry.py --planted

Before: average linkage at 0.4, symmetries not looked at, every feature named by itself. After: as
`SymmetryAnalyzer` does it now; then the same with other tolerances, and with a family for every
name. Shares are of families of three or more. ``stated`` and ``own``: all members have one class of
symmetry, as the table states it and by themselves; a class is the number of turns and whether there
are mirrors. ``kind`` also asks for one kind. ``ARI`` is the agreement of the families of both
dictionaries on the features that both have.

With two dictionaries, a name is also put to the other: of the features that both have, the share
whose partner has by itself the class that is stated here, and the class that the feature has by
itself.

Planted: adjusted Rand index, over seeds with 95 % intervals (t distribution), where the symmetry
of every family lies near the threshold, or not.
"""

from __future__ import annotations

import argparse
from unittest import mock

import numpy as np
from scipy.stats import t
from sklearn.metrics import adjusted_rand_score

from sklearn_groupcross import Dihedral, GroupCrosscoder, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.analysis import _compatibility, match_dictionaries
from sklearn_groupcross.analysis._compatibility import TOLERANCE, Symmetries, symmetry_type

RULES = {"before": 9.0, "0.05": 0.05, "0.15": 0.15, "after": TOLERANCE, "0.35": 0.35, "names": None}


def analyze(crosscoder, rule: str, distance: float | str, group=None) -> SymmetryAnalyzer:
    """Families under a rule: as now with another tolerance, or one for every name."""

    def of_one_name(symmetries):
        return symmetries._called[:, None] == symmetries._called

    analyzer = SymmetryAnalyzer(group, family_distance=distance)
    if RULES[rule] is None:
        with mock.patch.object(Symmetries, "compatible", of_one_name):
            return analyzer.fit(crosscoder)
    with mock.patch.object(_compatibility, "TOLERANCE", RULES[rule]):
        return analyzer.fit(crosscoder)


def types(stabilizers) -> np.ndarray:
    return np.array([str(symmetry_type(s.subgroup)) for s in stabilizers])


def apart(labels: np.ndarray) -> np.ndarray:
    """Give features alone a label of their own."""
    return np.where(labels < 0, len(labels) + np.arange(len(labels)), labels)


def row(analysis: SymmetryAnalyzer) -> str:
    large = [list(f.members) for f in analysis.families_ if len(f) >= 3]
    own, stated = types(analysis.own_stabilizers_), types(analysis.stabilizers_)
    kinds = np.char.add(stated, analysis.kinds_.astype(str))

    def share(names):
        return np.mean([len(set(names[members])) == 1 for members in large])

    sizes = [len(f) for f in analysis.families_[:10]]
    return (
        f"{analysis.family_distance_:.2f}  {len(large):4} {sum(map(len, large)):5} "
        f"{(analysis.labels_ >= 0).sum():5}   {share(stated):.3f} {share(kinds):.3f}  "
        f"{share(own):.3f}  {sizes}"
    )


def real(paths: list[str]) -> None:
    crosscoders = [GroupCrosscoder.load(path) for path in paths]
    pairs = None
    if len(crosscoders) > 1:
        matching = match_dictionaries(*crosscoders)
        pairs = matching.pairs[matching.matched]
        print(f"features that both have: {len(pairs)}")
    print("rule    cut   ≥3   of them all in families   stated kind   own   ten largest")
    for rule, distance in [("before", 0.4), ("before", "auto"), ("after", 0.4)] + [
        (rule, "auto") for rule in RULES if rule != "before"
    ]:
        analyses = [analyze(crosscoder, rule, distance) for crosscoder in crosscoders]
        for path, analysis in zip(paths, analyses, strict=True):
            print(f"{rule:7} {row(analysis)}  {path.split('/')[-1]}", flush=True)
        if pairs is not None:
            first, second = analyses
            found = apart(first.labels_)[pairs[:, 0]], apart(second.labels_)[pairs[:, 1]]
            print(f"        ARI {adjusted_rand_score(*found):.2f}", end="")
            partner = types(second.own_stabilizers_)[pairs[:, 1]]
            inside = first.labels_[pairs[:, 0]] >= 0
            for name, known in (
                ("stated", first.stabilizers_),
                ("own", first.own_stabilizers_),
            ):
                agrees = types(known)[pairs[:, 0]] == partner
                print(f"   partner has the {name} class {agrees[inside].mean():.3f}", end="")
            print(f"   ({inside.sum()} features in families)")


def planted(n_seeds: int) -> None:
    group = Dihedral(8)
    settings = [  # energy of the half turn and mirrors, noise of every member from, to
        (1.0, 0.0, 0.0),
        (1.0, 0.5, 0.5),
        (1.0, 0.2, 0.6),
        (0.97, 0.2, 0.4),
        (0.92, 0.0, 0.3),
    ]
    print("energy noise        " + "".join(f"{rule:>14}" for rule in RULES))
    for energy, low, high in settings:
        found = {rule: [] for rule in RULES}
        for seed in range(n_seeds):
            rng = np.random.default_rng(seed)
            data = make_orbits(
                2, group=group, n_families=24, energies=energy, random_state=seed,
                stabilizers=[group.subgroups()[i] for i in rng.integers(1, 10, 24)],
            )  # fmt: skip
            atoms = data.components.reshape(len(data.components), -1)
            noise = rng.uniform(low, high, (len(atoms), 1)) / atoms.shape[1] ** 0.5
            atoms = atoms + noise * rng.standard_normal(atoms.shape)
            for rule in RULES:
                labels = analyze(atoms, rule, 0.4 if rule == "before" else "auto", group).labels_
                found[rule].append(adjusted_rand_score(data.families, apart(labels)))
        cells = [
            f"{np.mean(v):.2f} ± {t.ppf(0.975, n_seeds - 1) * np.std(v, ddof=1) / n_seeds**0.5:.2f}"
            for v in found.values()
        ]
        print(f"{energy:<6} {low} to {high}  " + "".join(f"{c:>14}" for c in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dictionaries", nargs="*")
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if options.planted:
        planted(options.seeds)
    if options.dictionaries:
        real(options.dictionaries)


if __name__ == "__main__":
    main()
