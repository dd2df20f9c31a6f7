"""What dictionaries under different groups are asked, so that the answers compare."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_groupcross import GroupCrosscoder

from ._dictionary_measures import Described, share_of

HUE_KINDS = ("invariant", "symmetric", "free", "other")
BINS = np.linspace(-1, 1, 21)  # of self-profiles


def values_of(found: Described) -> dict[str, float]:
    """Figures of a dictionary that all groups have."""
    analysis, holds = found.analysis, found.holds
    stated = np.array([s.subgroup.order > 1 for s in analysis.stabilizers_])
    smallest = analysis.profiles_[holds].min(axis=1)
    return found.values() | {
        "symmetry stated": share_of(stated[holds]),
        "smallest p": float(np.median(smallest)) if len(smallest) else np.nan,
    }


def cross(
    turns: NDArray[np.str_] | None, hues: NDArray[np.str_], holds: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    """Shares of kinds by hues, among all features that hold and among those of a kind by turns."""
    among = {"any": holds}
    if turns is not None:
        among |= {kind: holds & (turns == kind) for kind in np.unique(turns[holds])}
    return [
        {"turns": str(name), "hues": kind, "value": share_of(hues[chosen] == kind)}
        for name, chosen in among.items()
        for kind in HUE_KINDS
    ]


def profile_of(orbits: NDArray[Any], table: NDArray[np.integer]) -> NDArray[np.float64]:
    """Self-profile of the activations themselves, about the mean of each block.

    What is alike before any dictionary is: of a feature that is no more than that, the group has
    nothing to tell.
    """
    some = orbits[:: max(1, len(orbits) // 500)].astype(np.float32)
    some -= some.mean(axis=0)
    gram = np.tensordot(some, some, axes=((0, 2), (0, 2)))
    moved = gram[np.arange(len(table))[:, None], table]  # [g, gh]
    return moved.mean(axis=0) / moved[:, 0].mean()


def explained_of_first(dictionary: GroupCrosscoder, orbits: NDArray[Any]) -> float:
    """Variance explained of untransformed inputs, which all groups have."""
    first = orbits[:, 0].astype(np.float32)
    codes = dictionary.encode(first)
    channels = first.shape[1]
    atoms = dictionary.components_.reshape(codes.shape[1], -1, channels)[:, 0]
    rebuilt = codes @ atoms + np.reshape(dictionary.intercept_, (-1, channels))[0]
    spread = np.square(first - first.mean(axis=0)).sum(dtype=float)
    return 1 - float(np.square(first - rebuilt).sum(dtype=float) / spread)
