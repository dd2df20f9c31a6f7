"""Families of all dictionaries and their nulls: how many, how large, of which symmetry."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from sklearn_groupcross.analysis import KINDS

from ._control_dictionaries import UNTRAINED
from ._family_measures import (
    AGAIN,
    IN_AGAIN,
    Seeds,
    analyze_null,
    describe,
    families_again,
    features_again,
)
from ._large_families import large_families
from ._nulls import blocks_dealt_out, signs_at_random
from ._recurrence import blocks_of
from ._statistics import columns, over_pairs, over_seeds
from ._study import Study

PLAIN, AUGMENTED = "group crosscoder", "with translated orbits"
SIGNS, BLOCKS, DEALT = "signs at random", "blocks dealt out", "labels dealt out"
SHARE, LESS_UNTRAINED = "share of features in families", ", less untrained"


def summary_table(study: Study, kinds: Mapping[str, Seeds]) -> pd.DataFrame:
    """Numbers of families of all dictionaries and nulls: one row a number and dictionary."""
    confidence = study.config["confidence"]
    rng = np.random.default_rng(study.config["split_seed"])
    rows: dict[tuple[str, str], Any] = {}
    pairs: dict[tuple[str, str], np.ndarray] = {}
    for who, seeds in kinds.items():
        suffix = "" if who == PLAIN else f", {who}"
        for i, (analysis, live) in enumerate(zip(seeds.analyses, seeds.live, strict=True)):
            analyses = {who: analysis}
            if who == PLAIN:
                atoms, distance = blocks_of(seeds.crosscoders[i]), analysis.family_distance_
                for null, change in ((SIGNS, signs_at_random), (BLOCKS, blocks_dealt_out)):
                    analyses[null] = analyze_null(change(atoms, rng), study.group, distance)
            for whose, each in analyses.items():
                described = describe(each, live, study.config["families"]["fixed_distance"])
                for what, value in described.items():
                    rows.setdefault((what, whose), []).append(value)
        found, chance = features_again(seeds, rng)
        families, dealt = families_again(seeds, rng)
        pairs |= {(what, who): shares for what, shares in (found | families).items()}
        pairs["features found again", SIGNS + suffix] = chance
        pairs |= {(what, DEALT + suffix): shares for what, shares in dealt.items()}
        # of each seed one other has been changed: its share stands for all
        less = found["features found again"] - np.nansum(chance, axis=1)[:, None]
        pairs["features found again, less chance", who] = less
        pairs[f"{AGAIN}, less chance", who] = families[AGAIN] - dealt[AGAIN]
    larger = np.max([rows[SHARE, null] for null in (SIGNS, BLOCKS)], axis=0)
    rows[f"{SHARE}, less the larger null", PLAIN] = list(np.subtract(rows[SHARE, PLAIN], larger))
    for measured, asked in ((rows, (SHARE,)), (pairs, (AGAIN, IN_AGAIN))):
        for what in asked:
            apart = np.subtract(measured[what, PLAIN], measured[what, UNTRAINED])
            measured[f"{what}{LESS_UNTRAINED}", PLAIN] = apart
    estimates = [over_seeds(values, confidence) for values in rows.values()]
    estimates += [over_pairs(shares, confidence) for shares in pairs.values()]
    return pd.DataFrame({
        "what": [what for what, _ in (*rows, *pairs)],
        "dictionary": [who for _, who in (*rows, *pairs)],
        **columns(estimates),
    })  # fmt: skip


def sizes_table(kinds: Mapping[str, Seeds]) -> pd.DataFrame:
    """Mean number of families by size."""
    bounds = [3, 4, 6, 9, 13, 19, 27, 10_000]
    counts = {}
    for who, column in ((PLAIN, "plain"), (AUGMENTED, "augmented")):
        if who not in kinds:
            continue
        seeds = kinds[who]
        of_seeds = [
            np.histogram([len(m) for m in large_families(analysis, live)], bounds)[0]
            for analysis, live in zip(seeds.analyses, seeds.live, strict=True)
        ]
        counts[column] = np.mean(of_seeds, axis=0)
    names = [f"{low} to {high - 1}" for low, high in pairwise(bounds[:-1])]
    names[0] = "3"
    return pd.DataFrame({"size": [*names, f"{bounds[-2]} or more"], **counts})


def kinds_table(study: Study, plain: Seeds) -> pd.DataFrame:
    """Families by the symmetry kind of their mean profile."""
    rows: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in (*KINDS, "other")}
    for analysis, live in zip(plain.analyses, plain.live, strict=True):
        large = large_families(analysis, live)
        labels = [int(analysis.labels_[members[0]]) for members in large]
        kinds = analysis.families_table_["kind"].reindex(labels).to_numpy()
        for kind, of_seeds in rows.items():
            chosen = [i for i, other in enumerate(kinds) if other == kind]
            covered = [analysis.families_[labels[i]].coverage for i in chosen]
            of_seeds.append((
                len(chosen), sum(len(large[i]) for i in chosen),
                float(np.mean(covered)) if covered else np.nan,
            ))  # fmt: skip
    confidence = study.config["confidence"]
    present = {kind: np.array(values) for kind, values in rows.items() if np.any(values)}
    table: dict[str, list] = {"kind": list(present)}
    for column, what in enumerate(("families", "features", "coverage")):
        table |= columns(
            [over_seeds(values[:, column], confidence) for values in present.values()], what
        )
    return pd.DataFrame(table)
