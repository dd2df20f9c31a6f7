"""What is known of every feature, in words: one row each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..groups import FiniteGroup, Stabilizer
from ._families import Family
from ._responses import Responses
from ._tuning import AngleTuning


def features_table(
    group: FiniteGroup,
    stabilizers: Sequence[Stabilizer],
    *,
    kinds: NDArray[np.object_],
    confidence: NDArray[np.floating],
    confidence_remarks: Sequence[str],
    labels: NDArray[np.int64],
    families: Sequence[Family],
    norms: NDArray[np.floating],
    atom_stabilizers: Sequence[Stabilizer],
    responses: Responses,
    remarks: NDArray[np.object_],
    tuning: AngleTuning,
    own_stabilizers: Sequence[Stabilizer],
) -> pd.DataFrame:
    """One row a feature.

    Parameters
    ----------
    group : FiniteGroup
    stabilizers : sequence of Stabilizer, of length m
    kinds, confidence, labels, norms : ndarray of shape (m,)
    confidence_remarks : sequence of str, of length m
        Why there is no confidence; empty where there is.
    families : sequence of Family
    atom_stabilizers : sequence of Stabilizer, of length m
    responses : Responses
    remarks : ndarray of shape (m,), of str
        What a feature of no kind lies between, and the kind of its family.
    tuning : AngleTuning
    own_stabilizers : sequence of Stabilizer, of length m
        Of each feature by itself.

    Returns
    -------
    table : DataFrame
        Indexed by feature: kind, symmetry, its energy and margin; confidence, the share of
        resamples of images in which the symmetry has the same class, with a remark where it is NaN
        (no orbits, ``refit=False``, or too few images on which the feature fires); runner-up,
        family, pose in it, the norm of the atom; the symmetry of the atom, that of its family if it
        has one, what the responses have of it in words, how alike they are inside and outside of
        it, and on how many of its transformed strongest inputs the feature fires; period,
        half-width and mirror axis in degrees, and a remark on features of no kind, what each is by
        itself and what its family is by its mean; the sub-family (-1 for features alone), and the
        symmetry that the atom has by itself.
    """
    poses = {
        member: group.describe_element(pose)
        for family in families
        for member, pose in zip(family.members, family.poses, strict=True)
    }
    sub_family = np.full(len(kinds), -1, dtype=np.int64)
    for family in families:
        sub_family[list(family.members)] = family.sub_families
    index = pd.RangeIndex(len(kinds), name="feature")
    return pd.DataFrame(
        {
            "kind": kinds,
            "symmetry": [s.name for s in stabilizers],
            "energy": [s.energy for s in stabilizers],
            "margin": [s.margin for s in stabilizers],
            "confidence": confidence,
            "confidence_remark": list(confidence_remarks),
            "runner_up": [s.runner_up.name if s.runner_up else "" for s in stabilizers],
            "family": labels,
            "pose": [poses.get(i, "") for i in index],
            "norm": norms,
            "atom_symmetry": [s.name for s in atom_stabilizers],
            "responses": responses.words,
            "response_inside": responses.inside,
            "response_outside": responses.outside,
            "response_strongest": responses.strongest,
            "period": tuning.periods,
            "half_width": tuning.half_widths,
            "axis": tuning.axes,
            "remark": remarks,
            "sub_family": sub_family,
            "own_symmetry": [s.name for s in own_stabilizers],
        },
        index=index,
    )
