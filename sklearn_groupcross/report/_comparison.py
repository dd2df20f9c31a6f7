"""Two dictionaries beside one another: which feature of one is which of the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..analysis import match_dictionaries
from ..crosscoder import GroupCrosscoder
from ..groups import FiniteGroup
from ._codes import codes_under
from ._group_words import plainest
from ._packing import packed
from ._subject import Material

#: How features are matched.
MATCHED_BY = ("atoms", "responses")

# Correlation from which responses are called the same, as `match_dictionaries` has it of cosines.
_SHARED_RESPONSES = 0.7
# Orbits by whose codes features are matched, evenly spaced: they are encoded once an element.
_MAX_ORBITS = 2000


def compare(first: Material, second: Material, matched_by: str = "atoms") -> dict[str, Any]:
    """Match the features of two dictionaries one to one, up to the group.

    Parameters
    ----------
    first, second : Material
        Over equal groups.
    matched_by : {"atoms", "responses"}, default="atoms"
        ``"atoms"``: by the cosine of decoders, as `match_dictionaries`; both are of the same
        layer. ``"responses"``: by the correlation of codes on the same inputs, whatever layers
        these are read from.

    Returns
    -------
    comparison : dict
        As the page reads it.

    Raises
    ------
    ValueError
        If the groups differ; atoms have other channels; orbits are not of the same inputs.
    """
    groups = [material.subject.analysis.group_ for material in (first, second)]
    names = [material.subject.name for material in (first, second)]
    if groups[0] != groups[1]:
        raise ValueError(
            "Dictionaries are compared up to one group: the first is over "
            f"{groups[0]!r}, the second over {groups[1]!r}."
        )
    if matched_by == "atoms":
        atoms = [material.subject.analysis.components_ for material in (first, second)]
        matching = match_dictionaries(*atoms, group=groups[0])
        pairs, similarity, threshold = matching.pairs, matching.similarity, matching.threshold
        element = plainest(
            groups[0],
            matching.alignment,
            [first.subject.analysis.atom_stabilizers_[i].subgroup for i in pairs[:, 0]],
            [second.subject.analysis.atom_stabilizers_[j].subgroup for j in pairs[:, 1]],
        )
        how = (
            "Features are matched one to one by the cosine of their atoms, in whichever pose they "
            "come closest."
        )
    else:
        pairs, similarity, element = match_responses(first, second)
        threshold = _SHARED_RESPONSES
        how = (
            "Features are matched one to one by the correlation of their responses to the same "
            "inputs, in whichever pose these agree most."
        )
    shown = [material.frequencies > 0 for material in (first, second)]
    both = shown[0][pairs[:, 0]] & shown[1][pairs[:, 1]]
    return {
        "how": f"{names[0]} beside {names[1]}. {how}",
        "measure": "cosine" if matched_by == "atoms" else "correlation of responses",
        "threshold": threshold,
        "first": packed(pairs[both, 0].astype(np.int32)),
        "second": packed(pairs[both, 1].astype(np.int32)),
        "similarity": packed(similarity[both].astype(np.float32)),
        "element": packed(element[both].astype(np.int32)),
    }


def match_responses(
    first: Material, second: Material
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Match features by ``max_h`` of the correlation of one's codes on h·x with the other's on x.

    If the atom of one is ``R_h`` times that of the other, its code on h·x is that of the other on
    x: elements are those of `match_dictionaries`.
    """
    n_orbits, n_others = (0 if m.orbits is None else len(m.orbits) for m in (first, second))
    if n_others != n_orbits or n_orbits == 0:
        raise ValueError(
            "Responses are compared on the same inputs, in one order: the first dictionary has "
            f"{n_orbits} orbits, the second {n_others}."
        )
    rows = np.unique(np.linspace(0, n_orbits - 1, min(_MAX_ORBITS, n_orbits)).astype(np.int64))
    live = [np.flatnonzero(material.frequencies > 0) for material in (first, second)]
    group: FiniteGroup = first.subject.analysis.group_
    # the second's codes, too, of transformed inputs: an orientation may be rare in images
    blocks = _codes(first.subject.crosscoder, first.orbits, rows, live[0])
    others = _codes(second.subject.crosscoder, second.orbits, rows, live[1])
    others_flat = _standardized(others.reshape(-1, len(live[1])))
    best = np.full((len(live[0]), len(live[1])), -np.inf, dtype=np.float32)
    element = np.zeros(best.shape, dtype=np.int64)
    for h in range(group.order):
        # row x of block g is the input g·x, and h·(g·x) that of block hg
        moved = blocks[:, group.cayley_table[h]].reshape(-1, len(live[0]))
        correlation = _standardized(moved).T @ others_flat
        better = correlation > best
        best[better], element[better] = correlation[better], h
    i, j = linear_sum_assignment(best, maximize=True)
    pairs = np.column_stack([live[0][i], live[1][j]]).astype(np.int64)
    return pairs, best[i, j], element[i, j]


def _codes(
    crosscoder: GroupCrosscoder | None,
    orbits: Any,
    rows: NDArray[np.int64],
    features: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Codes of some features on all blocks of some orbits, (n, order, n_features)."""
    if crosscoder is None:
        raise ValueError("Responses are those of crosscoders: both subjects need one.")
    codes = []
    for part in np.array_split(rows, -(-len(rows) // 100)):
        stacks = np.asarray(orbits[part])
        of_part = codes_under(crosscoder, stacks, range(stacks.shape[1]))[:, :, features]
        codes.append(of_part.astype(np.float32))
    return np.concatenate(codes)


def _standardized(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Columns of mean 0 and length 1; those that do not vary are 0."""
    centered = codes - codes.mean(axis=0)
    length = np.linalg.norm(centered, axis=0)
    return np.divide(centered, length, out=np.zeros_like(centered), where=length > 0)
