"""How far names by drawings can be relied on: other drawings, other seeds, families."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._family_measures import Seeds
from ._family_types import NO_TYPE, Counted, Drawn, Types, shares_of
from ._known_kinds import CLASSES, TYPES
from ._large_families import large_families
from ._statistics import Estimate, columns, over_groups, over_pairs, over_seeds
from ._study import Study

#: Rows of names: types that appear, by what features have to pass.
APPEAR = {
    "repeated": "types that appear",
    "confirmed": "types that appear, no other seed asked",
    "unasked": "types that appear, other seeds asked of features alone",
}


def names_table(
    study: Study, seeds: Seeds, types: list[Types], drawn: Drawn, counted: Counted
) -> pd.DataFrame:
    """How far names can be relied on: each share with what it is by chance."""
    n, confidence, controls = range(len(types)), study.config["confidence"], drawn.controls
    random_named = controls.named != NO_TYPE
    named = [seeds.live[i] & (types[i].named != NO_TYPE) for i in n]
    of_seeds = {
        "named": [(named[i].sum() / counted.live[i], random_named.mean()) for i in n],
        "confirmed": [_agreement(types[i].named[named[i]], types[i].judged[named[i]]) for i in n],
        "confirmed, of random directions named": [
            (np.mean(controls.confirmed[random_named] != NO_TYPE), np.nan) for _ in n
        ],
    }
    for what, row in APPEAR.items():
        known = counted.appears(what)[:, : len(TYPES)].sum(axis=1)
        # at most what the level of all types together allows
        of_seeds[row] = [(number, 1 - confidence) for number in known]
    rows = {
        what: [over_seeds(column, confidence) for column in (first, second, first - second)]
        for what, (first, second) in (
            (what, np.array(values, dtype=float).T) for what, values in of_seeds.items()
        )
    }
    same, chance = _same_elsewhere(seeds, types)
    rows["same name in another seed"] = [
        over_pairs(shares, confidence) for shares in (same, chance, same - chance)
    ]
    rows |= _within_families(study, seeds, types)
    first, second, difference = zip(*rows.values(), strict=True)
    return pd.DataFrame({
        "what": list(rows), **columns(first), **columns(second, "chance"),
        **columns(difference, "difference"),
    })  # fmt: skip


def _agreement(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[float, float]:
    """Share that agree, and with the second names dealt out."""
    if not len(first):
        return np.nan, np.nan
    dealt = shares_of(first) @ shares_of(second)
    return float(np.mean(first == second)), float(dealt)


def _same_elsewhere(
    seeds: Seeds, types: list[Types]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of named features that another seed has: share named the same there; and by chance."""
    shares = np.full((2, len(types), len(types)), np.nan)
    for (i, j), partner in seeds.partners.items():
        both = (partner >= 0) & seeds.live[i] & (types[i].named != NO_TYPE)
        shares[:, i, j] = _agreement(types[i].named[both], types[j].named[partner[both]])
    return shares[0], shares[1]


def _within_families(
    study: Study, seeds: Seeds, types: list[Types]
) -> dict[str, tuple[Estimate, Estimate, Estimate]]:
    """Of pairs of named members of a family: same name; and names dealt out among all members.

    Families are resampled, with what other seeds have of them.
    """
    counts, groups = [], []
    for i, of in enumerate(types):
        for members in large_families(seeds.analyses[i], seeds.live[i]):
            named = members[of.named[members] != NO_TYPE]
            if len(named) > 1:
                counts.append(np.bincount(of.named[named], minlength=len(CLASSES)))
                groups.append(seeds.copies[i][named[0]])
    names, n_pairs = "same type within a family", 0.0
    unknown = Estimate(np.nan, np.nan, np.nan)
    measured = (unknown,) * 3
    if counts:
        of_family = np.array(counts, dtype=float)
        same = (of_family * (of_family - 1)).sum(axis=1)
        pairs = of_family.sum(axis=1) * (of_family.sum(axis=1) - 1)
        n_pairs = pairs.sum() / 2

        def share(rows: NDArray[np.int64]) -> float:
            return float(same[rows].sum() / pairs[rows].sum())

        def dealt(rows: NDArray[np.int64]) -> float:
            overall = of_family[rows].sum(axis=0)
            return float((overall * (overall - 1)).sum() / (overall.sum() * (overall.sum() - 1)))

        measured = tuple(
            over_groups(
                statistic, groups, np.random.default_rng(study.config["split_seed"]),
                study.config["n_resamples"], study.config["confidence"],
            )
            for statistic in (share, dealt, lambda rows: share(rows) - dealt(rows))
        )  # fmt: skip
    alone = ((float(len(counts)), "families with two names or more"), (n_pairs, "pairs with names"))
    return {names: measured} | {
        f"{names}, {what}": (unknown._replace(value=value), unknown, unknown)
        for value, what in alone
    }
