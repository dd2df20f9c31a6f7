"""Means and differences of kinds of dictionary, with intervals over seeds and photographs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from ._statistics import Estimate, columns, combined, detectable, over_seeds

#: Instead of a group of photographs: none is left out.
NONE = -1
#: Of silhouettes and shares: what is smaller is of no practical size. Silhouettes are read in bands
#: (Rousseeuw: 0.25, 0.5, 0.7), and this is a fifth of the narrowest.
MARGIN = 0.05
_UNKNOWN = Estimate(np.nan, np.nan, np.nan)


def kinds(runs: pd.DataFrame, measures: Sequence[str], confidence: float) -> pd.DataFrame:
    """Mean of every kind of dictionary at every distance.

    Parameters
    ----------
    runs : DataFrame
        A row a kind, seed, group of photographs left out (or `NONE`) and family distance.
    measures : sequence of str
        Columns of it.
    confidence : float

    Returns
    -------
    table : DataFrame
        NaN where a seed has no value: ``n_defined`` says how many have. Intervals of what is
        measured on all photographs alone, from ``explained_variance`` on, are over seeds.
    """
    keys, estimates, defined = [], [], []
    for (distance, kind), _ in runs.groupby(["family_distance", "kind"], sort=False):
        for what in measures:
            values = _values(runs, kind, distance, what)
            keys.append({"kind": kind, "measure": what, "family_distance": distance})
            estimates.append(_estimate(values, confidence))
            defined.append(values[NONE].count())
    return pd.DataFrame(keys).assign(**columns(estimates), n_defined=defined)


def differences(
    runs: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    measures: Sequence[str],
    confidence: float,
) -> pd.DataFrame:
    """Mean of the first of each pair less the second, of the same seed and photographs."""
    rows = []
    for distance in sorted(runs["family_distance"].unique()):
        for first, second in pairs:
            for what in measures:
                values = _values(runs, first, distance, what) - _values(
                    runs, second, distance, what
                )
                estimate = _estimate(values, confidence)
                rows.append({
                    "first": first, "second": second, "measure": what, "family_distance": distance,
                    **estimate._asdict(), "n_defined": values[NONE].count(),
                    "reading": "" if what == "n_families" else _reading(estimate),
                })  # fmt: skip
    return pd.DataFrame(rows)


def power(
    runs: pd.DataFrame, pair: tuple[str, str], measures: Sequence[str], n_seeds: int
) -> pd.DataFrame:
    """What difference so many seeds see, by how much it differs between them on a pilot."""
    rows = []
    for distance in sorted(runs["family_distance"].unique()):
        for what in measures:
            first, second = (_values(runs, kind, distance, what)[NONE] for kind in pair)
            of_seeds = (first - second).dropna()
            spread = of_seeds.std(ddof=1) if len(of_seeds) > 1 else np.nan
            rows.append({"measure": what, "family_distance": distance,
                pair[0]: first.mean(), pair[1]: second.mean(),
                "n_defined": len(of_seeds), "spread": spread,
                "detectable": detectable(spread, n_seeds), "margin": MARGIN})  # fmt: skip
    return pd.DataFrame(rows)


def _values(runs: pd.DataFrame, kind: str, distance: float, what: str) -> pd.DataFrame:
    """A row a seed, a column a group of photographs left out."""
    rows = runs[(runs["kind"] == kind) & (runs["family_distance"] == distance)]
    return rows.pivot(index="seed", columns="left_out", values=what)


def _estimate(values: pd.DataFrame, confidence: float) -> Estimate:
    """Mean over seeds, with the interval over seeds and that over photographs combined.

    All seeds are without the same photographs: a jackknife of their mean says how much it would
    differ on others. Groups of many photographs are left out, since families are formed by a
    threshold (Shao and Wu 1989).
    """
    if values[NONE].isna().any():
        return _UNKNOWN
    mean = over_seeds(values[NONE], confidence)
    without = values.drop(columns=NONE).mean(skipna=False).to_numpy()
    n = len(without)
    error = np.sqrt((n - 1) / n * np.square(without - without.mean()).sum())
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1) * error)
    return combined(mean, Estimate(mean.value, mean.value - half, mean.value + half))


def _reading(difference: Estimate) -> str:
    """What an interval says, by the margin that was set before."""
    if np.isnan(difference.low):
        return "not defined"
    if difference.low > -MARGIN and difference.high < MARGIN:
        return "no difference of practical size"
    if difference.excludes_zero:
        return "first larger" if difference.value > 0 else "second larger"
    return "undecided"
