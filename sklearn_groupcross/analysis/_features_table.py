"""What is known of every feature, in words: one row each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..groups import FiniteGroup, Stabilizer
from ._families import Family


def features_table(
    group: FiniteGroup,
    stabilizers: Sequence[Stabilizer],
    *,
    kinds: NDArray[np.object_],
    confidence: NDArray[np.floating],
    labels: NDArray[np.int64],
    families: Sequence[Family],
    norms: NDArray[np.floating],
) -> pd.DataFrame:
    """One row a feature.

    Parameters
    ----------
    group : FiniteGroup
    stabilizers : sequence of Stabilizer, of length m
    kinds, confidence, labels, norms : ndarray of shape (m,)
    families : sequence of Family

    Returns
    -------
    table : DataFrame
        Indexed by feature: kind, symmetry, its energy, margin, confidence and runner-up, family,
        pose in it, and the norm of the atom.
    """
    poses = {
        member: group.describe_element(pose)
        for family in families
        for member, pose in zip(family.members, family.poses, strict=True)
    }
    index = pd.RangeIndex(len(kinds), name="feature")
    return pd.DataFrame(
        {
            "kind": kinds,
            "symmetry": [s.name for s in stabilizers],
            "energy": [s.energy for s in stabilizers],
            "margin": [s.margin for s in stabilizers],
            "confidence": confidence,
            "runner_up": [s.runner_up.name if s.runner_up else "" for s in stabilizers],
            "family": labels,
            "pose": [poses.get(i, "") for i in index],
            "norm": norms,
        },
        index=index,
    )
