"""Features of several runs that are one: partners of two runs, and the center of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from ..groups import FiniteGroup
from ._matching import match_atoms


@dataclass(frozen=True)
class Partners:
    """Partners that features of one dictionary have in another.

    Attributes
    ----------
    partner : ndarray of shape (m,), int64
        -1 where there is none.
    alignment : ndarray of shape (m,), int64
        The h for which ``R_h`` of the partner comes closest; the identity where there is none.
    similarity : ndarray of shape (m,)
        Cosine with the partner, carried there; NaN where there is none.
    """

    partner: NDArray[np.int64]
    alignment: NDArray[np.int64]
    similarity: NDArray[np.floating]


def pair_up(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    group: FiniteGroup,
    device: torch.device,
    threshold: float,
) -> Partners:
    """Match unit atoms one to one, first in the same pose and then what is left in any.

    Members of a family are alike up to the group. Matched in any pose from the start, they would be
    paired by their noise.
    """
    partner = np.full(len(first), -1, dtype=np.int64)
    alignment = np.full(len(first), group.identity, dtype=np.int64)
    similarity = np.full(len(first), np.nan)
    rows, columns = np.arange(len(first)), np.arange(len(second))
    for up_to_group in (False, True):
        matching = match_atoms(
            first[rows],
            second[columns],
            group,
            device,
            up_to_group=up_to_group,
            threshold=threshold,
        )
        found = matching.matched
        i, j = matching.pairs[found].T
        partner[rows[i]] = columns[j]
        alignment[rows[i]] = matching.alignment[found]
        similarity[rows[i]] = matching.similarity[found]
        rows, columns = np.delete(rows, i), np.delete(columns, j)
    return Partners(partner, alignment, similarity)


def central_features(
    runs: Sequence[NDArray[np.floating]],
    group: FiniteGroup,
    device: torch.device,
    threshold: float,
) -> NDArray[np.floating]:
    """Join features of runs that are partners, and give the most central one of each group.

    Parameters
    ----------
    runs : sequence of ndarray of shape (m, order, d)
        Unit atoms.
    group : FiniteGroup
    device : torch.device
    threshold : float
        Similarity from which partners are joined, the most similar first, as long as no group then
        holds two features of one run.

    Returns
    -------
    atoms : ndarray of shape (n, order, d)
        Of groups of two features or more, the feature with the largest sum of similarities to
        partners among the others.
    """
    first_of = np.cumsum([0, *(len(run) for run in runs)])
    ends: list[NDArray[np.int64]] = []
    weights: list[NDArray[np.floating]] = []
    for r, s in combinations(range(len(runs)), 2):
        found = pair_up(runs[r], runs[s], group, device, threshold)
        i = np.flatnonzero(found.partner >= 0)
        ends.append(np.column_stack([first_of[r] + i, first_of[s] + found.partner[i]]))
        weights.append(found.similarity[i])
    pairs, similarity = np.concatenate(ends), np.concatenate(weights)
    run_of = np.repeat(np.arange(len(runs)), [len(run) for run in runs])
    labels = _join(pairs[np.argsort(-similarity, kind="stable")], run_of)
    within = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    centrality = np.bincount(
        pairs[within].ravel(), np.repeat(similarity[within], 2), minlength=len(run_of)
    )
    # the first of each group in this order is its most central
    order = np.lexsort((-centrality, labels))
    order = order[centrality[order] > 0]
    chosen = np.sort(order[np.unique(labels[order], return_index=True)[1]])
    return np.concatenate(
        [run[chosen[run_of[chosen] == r] - first_of[r]] for r, run in enumerate(runs)]
    )


def _join(pairs: NDArray[np.int64], run_of: NDArray[np.int64]) -> NDArray[np.int64]:
    """Label features, joining pairs in order where no two of one run come together."""
    groups = [{int(run): feature} for feature, run in enumerate(run_of)]
    labels = np.arange(len(run_of))
    for i, j in pairs:
        one, other = labels[i], labels[j]
        if one != other and not groups[one].keys() & groups[other].keys():
            groups[one] |= groups[other]
            labels[list(groups[other].values())] = one
    return labels
