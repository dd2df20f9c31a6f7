"""How much of what is found under one group is found under another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_groupcross.analysis import match_dictionaries
from sklearn_groupcross.groups import FiniteGroup, Subgroup

from ._recurrence import find_again, shares_found


@dataclass(frozen=True)
class UnderGroup:
    """The dictionaries of all seeds under a subgroup of the group whose orbits were read.

    Attributes
    ----------
    elements : tuple of int
        Those of the subgroup, by their number in the whole group: block i of an atom is theirs.
    atoms : list of ndarray of shape (m, order, channels)
    live : list of ndarray of shape (m,), bool
    kinds : list of ndarray of shape (m,), of str, or of None
        None: the group turns no pictures.
    """

    elements: tuple[int, ...]
    atoms: list[NDArray[Any]]
    live: list[NDArray[np.bool_]]
    kinds: list[NDArray[np.str_] | None]

    def restricted(self, common: tuple[int, ...]) -> UnderGroup:
        """On the blocks of a common subgroup."""
        at = np.searchsorted(self.elements, common)
        return replace(self, elements=common, atoms=[atoms[:, at] for atoms in self.atoms])


def compare(
    whole: FiniteGroup, dictionaries: Mapping[str, UnderGroup], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Look up the features of every group's dictionaries in those of every group.

    Atoms are compared on the blocks that both groups have, up to the elements that both have: a
    feature of the larger group as the smaller one sees it. A seed is held against all others, and
    so it is in its own group on the same blocks, which is the ceiling: what another start alone
    would find.

    Parameters
    ----------
    whole : FiniteGroup
        That has all the groups as subgroups.
    dictionaries : mapping of UnderGroup
    rng : numpy.random.Generator

    Returns
    -------
    pairs : list of dict
        For every pair of groups ``features_of`` and ``found_under``, and for every pair of seeds,
        in matrices: ``share`` of the live features that are found, its ``ceiling``, and ``chance``,
        the share found if channels have random signs; ``same_kind``, of features found the share
        with one kind under both, its ceiling, and ``same_kind_chance``, if partners are dealt out
        among these; and how far both are below their ceilings.
    """
    pairs, ceilings = [], {}
    for (name, one), (other_name, other) in permutations(dictionaries.items(), 2):
        common = tuple(sorted(set(one.elements) & set(other.elements)))
        group = whole.restrict(Subgroup(whole, common))
        own, others = one.restricted(common), other.restricted(common)
        found = _matched(own, others, group)
        if (name, common) not in ceilings:
            ceilings[name, common] = _matched(own, own, group)
        ceiling = ceilings[name, common]
        by_chance = find_again(own.atoms, others.atoms, group=group, rng=rng)
        pairs.append({
            "features_of": name, "found_under": other_name, **found,
            "chance": shares_found(by_chance, own.live),
            "ceiling": ceiling["share"], "below_ceiling": ceiling["share"] - found["share"],
            "same_kind_ceiling": ceiling["same_kind"],
            "same_kind_below_ceiling": ceiling["same_kind"] - found["same_kind"],
        })  # fmt: skip
    return pairs


def _matched(
    first: UnderGroup, second: UnderGroup, group: FiniteGroup
) -> dict[str, NDArray[np.float64]]:
    """What every seed of the second has of the live features of every other of the first."""
    n, found = len(first.atoms), {}
    same_kind, dealt = np.full((2, n, n), np.nan)
    for i, j in permutations(range(n), 2):
        matching = match_dictionaries(first.atoms[i], second.atoms[j], group=group)
        found[i, j] = matching.matched_first
        pairs = matching.pairs[matching.matched]
        pairs = pairs[first.live[i][pairs[:, 0]]]
        if len(pairs) and first.kinds[i] is not None and second.kinds[j] is not None:
            kinds = first.kinds[i][pairs[:, 0]], second.kinds[j][pairs[:, 1]]
            names = np.union1d(*kinds)
            of_names = [np.array([(of == name).mean() for name in names]) for of in kinds]
            same_kind[i, j] = (kinds[0] == kinds[1]).mean()
            dealt[i, j] = of_names[0] @ of_names[1]
    shares = shares_found(found, first.live)
    return {"share": shares, "same_kind": same_kind, "same_kind_chance": dealt}
