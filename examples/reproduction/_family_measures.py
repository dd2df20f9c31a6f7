"""Families of dictionaries: how many, how complete, and found by other seeds or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from sklearn_groupcross import GroupCrosscoder, SymmetryAnalyzer
from sklearn_groupcross.analysis import cluster_families
from sklearn_groupcross.groups import FiniteGroup

from ._copies import copies
from ._large_families import SMALLEST, fires, in_families, large_families
from ._recurrence import (
    Found,
    Partners,
    find_again,
    find_partners,
    has_partner,
    shares_found,
)

#: What is said of families in other seeds.
AGAIN, AGREEMENT = "families found again", "agreement of families (ARI)"
IN_AGAIN = "features in families found again"


@dataclass(frozen=True)
class Seeds:
    """Dictionaries of one kind, one a seed, and what is known of each.

    Attributes
    ----------
    crosscoders : list of GroupCrosscoder
    analyses : list of SymmetryAnalyzer
        Of the atoms alone: nulls have no responses that could be asked.
    live : list of ndarray of bool
    """

    crosscoders: list[GroupCrosscoder]
    analyses: list[SymmetryAnalyzer]
    live: list[NDArray[np.bool_]]

    @cached_property
    def partners(self) -> Partners:
        return find_partners(self.crosscoders)

    @cached_property
    def partners_in_pose(self) -> Partners:
        return find_partners(self.crosscoders, up_to_group=False)

    @cached_property
    def copies(self) -> list[NDArray[np.int64]]:
        return copies(self.partners_in_pose, [len(live) for live in self.live])

    def others(self, i: int) -> list[int]:
        return [j for j in range(len(self.crosscoders)) if j != i]


def look_at(crosscoders: Sequence[GroupCrosscoder], untransformed: NDArray[np.floating]) -> Seeds:
    """Analyse dictionaries of several seeds.

    Parameters
    ----------
    crosscoders : sequence of GroupCrosscoder
    untransformed : ndarray of shape (n_samples, n_channels)
        Identity blocks of orbits held out.
    """
    return Seeds(
        list(crosscoders),
        [SymmetryAnalyzer().fit(crosscoder) for crosscoder in crosscoders],
        [fires(crosscoder, untransformed) for crosscoder in crosscoders],
    )


def analyze_null(
    blocks: NDArray[np.floating], group: FiniteGroup, distance: float
) -> SymmetryAnalyzer:
    """Families of a null, by the distance that the dictionary itself has.

    An analyzer chooses that distance so that 2 % of strangers as smooth as the atoms lie within
    it: of atoms with random signs about as many are in families by construction.
    """
    return SymmetryAnalyzer(group, family_distance=distance).fit(blocks.reshape(len(blocks), -1))


def describe(analysis: SymmetryAnalyzer, live: NDArray[np.bool_], fixed: float) -> dict[str, float]:
    """Numbers of a dictionary's families; `fixed` is a distance that all dictionaries share."""
    large = large_families(analysis, live)
    sizes = [len(members) for members in large]
    kept = [analysis.families_[analysis.labels_[members[0]]] for members in large]
    taken = sum(len(set(family.poses)) for family in kept)
    possible = taken + sum(len(family.gaps) for family in kept)
    labels = cluster_families(analysis.distances_, ~analysis.dead_, fixed)[live]
    at_fixed = np.bincount(labels[labels >= 0])
    return {
        "features that fire": float(live.sum()),
        "families": float(len(large)),
        "share of features in families": sum(sizes) / max(live.sum(), 1),
        "share of features in families, fixed distance":
            at_fixed[at_fixed >= SMALLEST].sum() / max(live.sum(), 1),
        "largest family": float(max(sizes, default=0)),
        "median size": float(np.median(sizes)) if sizes else np.nan,
        "poses covered": taken / possible if possible else np.nan,
        "poses for each feature": taken / sum(map(len, kept)) if kept else np.nan,
        "complete families": float(sum(family.coverage == 1 for family in kept)),
        "gaps": float(possible - taken),
        "family distance": float(analysis.family_distance_),
    }  # fmt: skip


def features_again(
    seeds: Seeds, rng: np.random.Generator
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """Shares of features that each seed has of each other, (n_seeds, n_seeds), and by chance.

    A feature in a family may be found for its kin, of which there are more to match: in the same
    pose too it has to be that feature.
    """
    inside = [in_families(a, live) for a, live in zip(seeds.analyses, seeds.live, strict=True)]
    outside = [live & ~within for live, within in zip(seeds.live, inside, strict=True)]
    kinds: dict[str, list[NDArray[np.bool_]]] = {
        "": seeds.live, ", in families": inside, ", in none": outside,
    }  # fmt: skip
    ways: dict[str, Found] = {
        "": has_partner(seeds.partners), " in the same pose": has_partner(seeds.partners_in_pose),
    }  # fmt: skip
    shares = {
        f"features found again{way}{kind}": shares_found(again, chosen)
        for way, again in ways.items()
        for kind, chosen in kinds.items()
    }
    return shares, shares_found(find_again(seeds.crosscoders, rng=rng), seeds.live)


def families_again(
    seeds: Seeds, rng: np.random.Generator
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """What each seed finds of the families of each other, (n_seeds, n_seeds), and by chance.

    A family is found again if one family there holds the partners of at least half of its
    members; by chance: with the labels there dealt out among the features. Features in such
    families are counted among all that fire. The agreement is that
    on members of families here that have a partner there.
    """
    n = len(seeds.crosscoders)
    measured, by_chance = (
        {what: np.full((n, n), np.nan) for what in (AGAIN, IN_AGAIN, AGREEMENT)} for _ in range(2)
    )
    for (i, j), partner in sorted(seeds.partners.items()):
        here, there = seeds.analyses[i].labels_, seeds.analyses[j].labels_
        large = large_families(seeds.analyses[i], seeds.live[i])
        both = seeds.live[i] & (partner >= 0) & (here >= 0)
        for labels, result in ((there, measured), (rng.permutation(there), by_chance)):
            of_partner = np.where(partner >= 0, labels[partner], -1)
            again = [_together(of_partner[members]) for members in large]
            if large:
                result[AGAIN][i, j] = np.mean(again)
            if seeds.live[i].any():
                n_again = sum(len(m) for m, found in zip(large, again, strict=True) if found)
                result[IN_AGAIN][i, j] = n_again / seeds.live[i].sum()
            if both.sum() > 1:
                result[AGREEMENT][i, j] = adjusted_rand_score(
                    apart(here)[both], apart(labels)[partner[both]]
                )
    return measured, by_chance


def apart(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give features alone a label of their own."""
    return np.where(labels < 0, len(labels) + np.arange(len(labels)), labels)


def _together(labels: NDArray[np.int64]) -> bool:
    """Whether one label, of those that are families, has at least half."""
    counts = np.bincount(labels[labels >= 0], minlength=1)
    return bool(2 * counts.max() >= len(labels))
