"""Which features other seeds have too, and what chance would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross.analysis import match_dictionaries
from sklearn_groupcross.groups import FiniteGroup

from ._nulls import signs_at_random

#: For seeds (i, j), i other than j: which features of the i-th dictionary the j-th has.
Found = dict[tuple[int, int], NDArray[np.bool_]]
#: For the same: the number of each feature's partner in the j-th; -1 without.
Partners = dict[tuple[int, int], NDArray[np.int64]]


def find_partners(
    firsts: Sequence[Any],
    seconds: Sequence[Any] | None = None,
    *,
    group: FiniteGroup | None = None,
    rng: np.random.Generator | None = None,
    up_to_group: bool = True,
) -> Partners:
    """Match dictionaries of all seeds: one to one, cosine 0.7 or more, up to the group.

    Parameters
    ----------
    firsts : sequence of GroupCrosscoder or ndarray of shape (m, order, n_channels)
        One a seed.
    seconds : sequence, optional
        Of another setting, in the same order; those of one seed may start alike, and are not
        compared. Default: `firsts`.
    group : FiniteGroup, optional
        Needed if all are atoms.
    rng : numpy.random.Generator, optional
        The null: channels of the second have random signs. Of the next seed alone.
    up_to_group : bool, default=True
        Whether a feature in another pose is the same.
    """
    group = firsts[0].group_ if group is None else group
    n, partners = len(firsts), {}
    for i in range(n):
        for j in range(n) if rng is None else [(i + 1) % n]:
            if i == j or (i, j) in partners:
                continue
            second = (firsts if seconds is None else seconds)[j]
            if rng is not None:
                second = signs_at_random(blocks_of(second), rng)
            matching = match_dictionaries(firsts[i], second, group=group, up_to_group=up_to_group)
            pairs = matching.pairs[matching.matched]
            partners[i, j] = _partners_of(pairs, len(matching.dead_first))
            if seconds is None and rng is None:  # the same pairs
                partners[j, i] = _partners_of(pairs[:, ::-1], len(matching.dead_second))
    return partners


def _partners_of(pairs: NDArray[np.int64], n_features: int) -> NDArray[np.int64]:
    partners = np.full(n_features, -1)
    partners[pairs[:, 0]] = pairs[:, 1]
    return partners


def find_again(
    firsts: Sequence[Any], seconds: Sequence[Any] | None = None, **options: Any
) -> Found:
    """Which features have a partner: see `find_partners`."""
    return has_partner(find_partners(firsts, seconds, **options))


def has_partner(partners: Mapping[tuple[int, int], NDArray[np.int64]]) -> Found:
    """Which features have one."""
    return {pair: numbers >= 0 for pair, numbers in partners.items()}


def share_of_seeds(found: Mapping[tuple[int, int], NDArray[np.bool_]], i: int) -> NDArray[Any]:
    """For each feature of a seed, the share of the others that have it."""
    return np.mean([has for (first, _), has in found.items() if first == i], axis=0)


def shares_found(
    found: Mapping[tuple[int, int], NDArray[np.bool_]], live: Sequence[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Share of each seed's live features that each other has, (n_seeds, n_seeds); else NaN."""
    shares = np.full((len(live), len(live)), np.nan)
    for (i, j), has in found.items():
        if live[i].any():
            shares[i, j] = has[live[i]].mean()
    return shares


def blocks_of(dictionary: Any) -> NDArray[np.floating]:
    """Atoms (m, order, n_channels) of a dictionary, or as they are."""
    if not isinstance(dictionary, GroupCrosscoder):
        return dictionary
    return dictionary.components_.reshape(len(dictionary.components_), dictionary.group_.order, -1)
