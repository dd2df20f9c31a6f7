"""What dictionaries of one setting hold, feature by feature and in summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklearn_groupcross import GroupCrosscoder, SymmetryAnalyzer
from sklearn_groupcross.model_selection import collect_statistics

from ._large_families import fires, in_families, large_families
from ._recurrence import find_again, share_of_seeds, shares_found
from ._statistics import Estimate, columns, over_pairs, over_seeds


@dataclass(frozen=True)
class Described:
    """A dictionary, and what is known of its features.

    Attributes
    ----------
    analysis : SymmetryAnalyzer
        With orbits held out: a symmetry is stated where the responses carry it.
    explained : float
        Variance, held out.
    live : ndarray of shape (m,), bool
        Fires on at least one orbit held out.
    found_again : ndarray of shape (m,)
        Share of the other seeds that have the feature.
    """

    analysis: SymmetryAnalyzer
    explained: float
    live: NDArray[np.bool_]
    found_again: NDArray[np.float64]

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Which features fire, and at least half of the other seeds have."""
        return self.live & (self.found_again >= 0.5)

    def values(self) -> dict[str, float]:
        """Figures of the whole dictionary; shares are of features that fire."""
        return {
            "explained": self.explained,
            "features that fire": float(self.live.sum()),
            "features that hold": float(self.holds.sum()),
            "families": float(len(large_families(self.analysis, self.live))),
            "share in families": share_of(in_families(self.analysis, self.live)[self.live]),
        }

    def kind_shares(self, kinds: Sequence[str]) -> dict[str, float]:
        """Share of each kind among the features that hold."""
        of_held = self.analysis.kinds_[self.holds]
        return {kind: share_of(of_held == kind) for kind in kinds}

    def stabilizer_shares(self) -> dict[str, float]:
        """Share of each type of symmetry, as it is stated, among the features that hold."""
        types = pd.Series(
            [self.analysis.stabilizers_[i].name.split(":")[0] for i in np.flatnonzero(self.holds)]
        )
        return types.value_counts(normalize=True).to_dict()


class OfSeeds:
    """The dictionaries of all seeds of a setting, on orbits held out.

    Parameters
    ----------
    dictionaries : sequence of GroupCrosscoder
        Two or more.
    orbits : ndarray of shape (n, order, channels)
    image_ids : ndarray of shape (n,)
    rng : numpy.random.Generator
        Of the null of what is found again.
    """

    def __init__(
        self,
        dictionaries: Sequence[GroupCrosscoder],
        orbits: NDArray[Any],
        image_ids: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        self._dictionaries, self._orbits, self._ids = dictionaries, orbits, image_ids
        untransformed = orbits[:, dictionaries[0].group_.identity]
        self._live = [fires(each, untransformed) for each in dictionaries]
        self._found = find_again(dictionaries)
        self._by_chance = find_again(dictionaries, rng=rng)

    def __iter__(self) -> Iterator[Described]:
        """One a seed; an analysis takes room, so that one is there at a time."""
        for i, dictionary in enumerate(self._dictionaries):
            # atoms as they stand, held against responses on photographs that no atom has seen: of
            # bags of photographs refitted atoms would take the longer part of the time
            analysis = SymmetryAnalyzer(refit=False)
            yield Described(
                analysis.fit(dictionary, orbits=self._orbits, image_ids=self._ids),
                collect_statistics(dictionary, self._orbits).explained_variance,
                self._live[i],
                share_of_seeds(self._found, i),
            )

    def recurrence(self, confidence: float) -> dict[str, Estimate]:
        """Share of the live features that another seed has, and of the same ones by chance."""
        again, chance = (shares_found(f, self._live) for f in (self._found, self._by_chance))
        seeds = np.arange(len(chance))
        of_seed = chance[seeds, (seeds + 1) % len(seeds)]  # the null is of the next seed
        shares = {
            "found again": again,
            "found again by chance": chance,
            "found again beyond chance": again - of_seed[:, None],
        }
        return {name: over_pairs(each, confidence) for name, each in shares.items()}


def summarize(
    rows: Sequence[dict[str, Any]], keys: Sequence[str], confidence: float
) -> pd.DataFrame:
    """Mean over seeds with Student's interval, for every key in the order of its first row.

    Parameters
    ----------
    rows : sequence of dict
        With the keys, and a ``value`` for every seed; NaN is left out.
    keys : sequence of str
    confidence : float
    """
    frame = pd.DataFrame(rows, columns=[*keys, "value"])
    groups = [(key, part["value"].dropna()) for key, part in frame.groupby([*keys], sort=False)]
    nothing = Estimate(np.nan, np.nan, np.nan)
    estimates = [over_seeds(part, confidence) if len(part) else nothing for _, part in groups]
    table = pd.DataFrame([key for key, _ in groups], columns=[*keys])
    return table.assign(**columns(estimates))


def with_zeros(rows: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Shares of names, most common first, with a 0 where a seed lacks a name that another has.

    Parameters
    ----------
    rows : sequence of dict
        With a ``value`` for every name that a seed has. A seed without any has no shares.
    name : str
        Key of the names.
    """
    if not rows:
        return []
    of_seed = [key for key in rows[0] if key not in (name, "value")]
    wide = pd.DataFrame(rows).pivot_table("value", of_seed, name, sort=False).fillna(0)
    wide = wide[wide.sum().sort_values(ascending=False).index]
    return wide.reset_index().melt(of_seed, var_name=name).to_dict("records")


def share_of(values: NDArray[Any]) -> float:
    """Mean, unknown of nothing."""
    return float(np.mean(values)) if len(values) else np.nan
