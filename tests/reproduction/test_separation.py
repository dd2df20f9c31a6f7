from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from examples.reproduction import separation
from examples.reproduction._claim import FAILS, HOLDS, IN_PART
from examples.reproduction._separation_tables import NONE, differences
from examples.reproduction.separation import DISTANCE, PAIRS

CLAIMS = {claim.number: claim.measure for claim in separation.CLAIMS}
UNTRAINED = PAIRS[2:5]


def tables(changes=()):
    """All differences are 0.2 (0.1 to 0.3), but those that are changed."""
    rows = {
        (*pair, what, distance): (0.2, 0.1, 0.3)
        for pair in PAIRS
        for what in separation.COMPARED
        for distance in (0.3, DISTANCE, 0.5)
    } | dict(changes)
    keys = ["first", "second", "measure", "family_distance"]
    table = pd.DataFrame(list(rows), columns=keys)
    table[["value", "low", "high"]] = list(rows.values())
    return {"differences": table}


@pytest.mark.parametrize("number", sorted(CLAIMS))
def test_what_is_missing_never_holds(number):
    assert CLAIMS[number](tables())[1] == HOLDS
    missing = tables()
    missing["differences"][["value", "low", "high"]] = np.nan
    estimate, verdict = CLAIMS[number](missing)
    assert verdict == FAILS
    assert np.isnan(estimate.value)


def test_another_distance_without_families_is_not_passed_over():
    unknown = (np.nan, np.nan, np.nan)
    assert CLAIMS["3a"](tables([((*PAIRS[0], "silhouette", 0.3), unknown)]))[1] == IN_PART


def test_a_rival_without_families_is_judged_by_what_stands_apart():
    unknown, near = (np.nan, np.nan, np.nan), (0.03, 0.01, 0.05)
    none = {(*pair, "silhouette", DISTANCE): unknown for pair in UNTRAINED[:2]}
    assert CLAIMS["3e"](tables(none))[1] == HOLDS
    lower = {(*pair, "apart", DISTANCE): near for pair in UNTRAINED[:2]}
    assert CLAIMS["3e"](tables(none | lower))[1] == IN_PART
    # one that has families is judged by its silhouette, however many features have none
    nearest = none | {(*UNTRAINED[2], "silhouette", DISTANCE): near}
    estimate, verdict = CLAIMS["3e"](tables(nearest))
    assert (tuple(estimate), verdict) == (near, IN_PART)


def test_intervals_are_over_seeds_and_photographs():
    def runs(seeds, photographs):
        rng = np.random.default_rng(0)
        by_seed, by_group = seeds * rng.standard_normal(5), photographs * rng.standard_normal(5)
        rows = [
            {"kind": kind, "seed": seed, "left_out": group, "family_distance": 0.4,
             "silhouette": (by_seed[seed] + 0.2 - by_group[group] * (group != NONE)) * sign}
            for kind, sign in (("one", 1), ("other", 0))
            for seed in range(5)
            for group in (NONE, *range(5))
        ]  # fmt: skip
        return differences(pd.DataFrame(rows), [("one", "other")], ["silhouette"], 0.95).iloc[0]

    width = {
        which: np.diff(runs(*which)[["low", "high"]].to_numpy(float))[0]
        for which in ((1, 0), (0, 1), (1, 1))
    }
    assert width[1, 1] == pytest.approx(np.hypot(width[1, 0], width[0, 1]))
    assert min(width.values()) > 0
