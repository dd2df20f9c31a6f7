"""Kinds of the same features, read under D8, D16 and D32.

$ python benchmarks/kinds.py MODEL...

Each MODEL is a crosscoder over ``Dihedral(32)``. Its atoms are read as they are, and restricted to
the blocks of the subgroups ``Dihedral(16)`` and ``Dihedral(8)``, each atom of length one again.
Printed, of live atoms: kinds, and remarks on the others; the share with the same kind under D8 as
under D32, D16 as under D32, and under all three, with 95 % intervals (bootstrap over features); the
same for a rule that asks p(smallest turn) > 0.4 of what needs the full turn; periods, half-widths
and mirror axes: how far apart, in degrees.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from sklearn_groupcross import Dihedral, GroupCrosscoder, SymmetryAnalyzer

TURNS, N_RESAMPLES = (8, 16, 32), 1000


def analyses(model: str) -> dict[int, SymmetryAnalyzer]:
    crosscoder = GroupCrosscoder.load(model)
    if crosscoder.group_ != Dihedral(32):
        sys.exit(f"{model} is over {crosscoder.group_!r}, not over Dihedral(32).")
    atoms = crosscoder.components_.reshape(len(crosscoder.components_), 64, -1)
    atoms = atoms[atoms.any(axis=(1, 2))]
    found = {}
    for n in TURNS:
        turns = np.arange(n) * (32 // n)
        part = atoms[:, np.concatenate([turns, 32 + turns])]
        found[n] = SymmetryAnalyzer(Dihedral(n)).fit(part.reshape(len(part), -1))
    return found


def share(same: np.ndarray, rng: np.random.Generator) -> str:
    drawn = same[rng.integers(len(same), size=(N_RESAMPLES, len(same)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{same.mean():.1%} ({low:.1%} to {high:.1%})"


def by_smallest_turn(analysis: SymmetryAnalyzer, n: int) -> np.ndarray:
    """Whether p(180°) < 0.2 and p(smallest turn) > 0.4."""
    return (analysis.profiles_[:, n // 2] < 0.2) & (analysis.profiles_[:, 1] > 0.4)


def report_agreement(name: str, words: dict[int, np.ndarray], rng: np.random.Generator) -> None:
    print(f"  {name}:")
    for n in TURNS[:-1]:
        print(f"    D{n} as under D32: {share(words[n] == words[32], rng)}")
    in_all = (words[8] == words[32]) & (words[16] == words[32])
    print(f"    under all three: {share(in_all, rng)}")


def report_differences(name: str, n: int, differences: np.ndarray, known: np.ndarray) -> None:
    part = np.abs(differences[known])
    median, most = np.quantile(part, [0.5, 0.95])
    print(
        f"  {name}, D{n} against D32: median {median:.1f}°, 95 % within {most:.1f}°, n {len(part)}"
    )


def report_angles(found: dict[int, SymmetryAnalyzer], rng: np.random.Generator) -> None:
    periods = {n: analysis.tuning_.periods for n, analysis in found.items()}
    report_agreement("period", periods, rng)
    finest = found[32].tuning_
    for n in TURNS[:-1]:
        tuning = found[n].tuning_
        widths = tuning.half_widths - finest.half_widths
        report_differences("half-width", n, widths, np.isfinite(widths))
        step = 180 / n  # half a step of the group
        wide = np.isfinite(widths) & (finest.half_widths >= step)
        report_differences(f"half-width of {step:g}° or more", n, widths, wide)
        has, had = np.isfinite(tuning.axes), np.isfinite(finest.axes)
        print(f"  mirror axis or none, as under D32: {(has == had).mean():.1%}")
        both = has & had & (tuning.periods == finest.periods)
        half = np.where(both, finest.periods / 2, 1.0)
        off = (tuning.axes - finest.axes + half / 2) % half - half / 2
        report_differences("mirror axis", n, off, both)


def main(models: list[str]) -> None:
    for model in models:
        rng, found = np.random.default_rng(0), analyses(model)
        table = found[32].features_table_
        print(f"{Path(model).stem}: {len(table)} live features under D32")
        print(f"  {dict(Counter(table['kind']))}")
        print(f"  others: {dict(Counter(table['remark'][table['kind'] == 'other']))}")
        widths = table.groupby("kind")["half_width"].quantile([0.1, 0.5, 0.9]).unstack()
        print(f"  half-widths, 10 %, median, 90 %\n{widths.round(0).to_string()}")
        report_agreement("kind", {n: found[n].kinds_ for n in TURNS}, rng)
        old = {n: by_smallest_turn(found[n], n) for n in TURNS}
        print(f"  p(smallest turn) > 0.4 holds for {[int(old[n].sum()) for n in TURNS]}")
        report_agreement("that rule", old, rng)
        report_angles(found, rng)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
