"""One name for a family: read off the profiles of all its members, each turned to one pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..groups import FiniteGroup, Stabilizer

FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Kin:
    """Features of one family, and how each comes from its medoid.

    Attributes
    ----------
    members : ndarray of shape (n,), int64
        In increasing order.
    medoid : int
    carriers : ndarray of shape (n,), int64
        The h for which ``R_h`` of the medoid comes closest to each.
    """

    members: NDArray[np.int64]
    medoid: int
    carriers: NDArray[np.int64]


def pooled(values: FloatArray, kin: Sequence[Kin], group: FiniteGroup) -> FloatArray:
    """Means over the members of families, each in the pose of its medoid.

    If ``R_h`` carries the medoid to a member, then what the medoid's profile is at k, the member's
    is at ``h k h⁻¹``.

    Parameters
    ----------
    values : ndarray of shape (..., m, order)
        Self-profiles, or what adds up as they do. Members with NaN do not count.
    kin : sequence of Kin
    group : FiniteGroup

    Returns
    -------
    means : ndarray of shape (..., n_families, order)
        NaN where no member counts.
    """
    table, inverses = group.cayley_table, group.inverses
    means = np.full((*values.shape[:-2], len(kin), group.order), np.nan)
    for f, family in enumerate(kin):
        conjugated = table[table[family.carriers], inverses[family.carriers][:, None]]
        own = values[..., family.members[:, None], conjugated]
        counts = np.isfinite(own).all(axis=tuple(i for i in range(own.ndim) if i != own.ndim - 2))
        if counts.any():
            means[..., f, :] = own[..., counts, :].mean(axis=-2)
    return means


def hand_out(
    kin: Sequence[Kin], of_families: Sequence[Stabilizer], own: Sequence[Stabilizer]
) -> list[Stabilizer]:
    """Stabilizers of all features: that of its family for a member, conjugated to its pose.

    Parameters
    ----------
    kin : sequence of Kin
    of_families : sequence of Stabilizer
        In the pose of the medoid.
    own : sequence of Stabilizer
        Of every feature by itself: what features alone keep.

    Returns
    -------
    stabilizers : list of Stabilizer
        Energy, minimum, margin and runner-up of members are those of the family.
    """
    stabilizers = list(own)
    for family, shared in zip(kin, of_families, strict=True):
        for member, h in zip(family.members.tolist(), family.carriers.tolist(), strict=True):
            stabilizers[member] = replace(
                shared,
                subgroup=shared.subgroup.conjugate(h),
                runner_up=None if shared.runner_up is None else shared.runner_up.conjugate(h),
            )
    return stabilizers
