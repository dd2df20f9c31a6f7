"""The symmetry of a feature: the largest subgroup that leaves it as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._masked import unmasked
from ._notebook import stabilizer_html

if TYPE_CHECKING:
    from ._finite_group import FiniteGroup
    from ._subgroup import Subgroup

FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Stabilizer:
    """What fixes a feature, with the evidence.

    Attributes
    ----------
    subgroup : Subgroup
        The largest subgroup H that passes the threshold.
    energy : float
        E_H, the share of the feature's energy that H leaves as it is, in [0, 1].
    minimum : float
        Smallest self-similarity over H.
    margin : float
        By how much ``min(energy, minimum)`` exceeds the threshold.
    runner_up : Subgroup or None
        The best of the other subgroups that do not lie within H; None if there is none.
    runner_up_score : float
        ``min(energy, minimum)`` of the runner-up; NaN if there is none.
    """

    subgroup: Subgroup
    energy: float
    minimum: float
    margin: float
    runner_up: Subgroup | None
    runner_up_score: float

    @property
    def name(self) -> str:
        """Class and generators for people, such as ``"C2: half turn"``."""
        return self.subgroup.name

    @property
    def class_name(self) -> str:
        """What the feature's translates share: see `Subgroup.class_name`."""
        return self.subgroup.class_name

    def _repr_html_(self) -> str:
        """Elements that leave the feature as it is, and the evidence, for notebooks."""
        return stabilizer_html(self)


def find_stabilizers(
    group: FiniteGroup,
    profiles: ArrayLike,
    threshold: float = 0.8,
    *,
    allowed: ArrayLike | None = None,
) -> list[Stabilizer]:
    """Stabilizers of many features from their self-profiles.

    For a subgroup H, ``E_H``, the mean of the profile over H, is exactly the share of the
    feature's energy that H fixes. The stabilizer is the largest H for which both ``E_H`` and the
    smallest profile value in H exceed the threshold; among equally large ones, the larger ``E_H``.

    Parameters
    ----------
    group : FiniteGroup
    profiles : array-like of shape (n_features, order)
        ``profiles[i, h]`` is the cosine of feature i with its own right translate by h.
    threshold : float, default=0.8
        In (0, 1).
    allowed : array-like of bool, of shape (n_features, n_subgroups), optional
        Which of ``group.subgroups()`` may be named of each feature: those with evidence enough.
        Default: all. The trivial subgroup may always be named.

    Returns
    -------
    stabilizers : list of Stabilizer, of length n_features

    Raises
    ------
    ValueError
        If the shapes do not fit the group or the threshold lies outside (0, 1).
    """
    profiles = np.asarray(unmasked(profiles, "profiles"), dtype=np.float64)
    if profiles.ndim != 2 or profiles.shape[1] != group.order:
        raise ValueError(
            f"Self-profiles over {group!r} have shape (n_features, {group.order}); "
            f"got {profiles.shape}."
        )
    if not 0 < threshold < 1:
        raise ValueError(f"The stabilizer threshold lies in (0, 1); got {threshold}.")
    subgroups = group.subgroups()
    if allowed is not None and np.shape(allowed) != (len(profiles), len(subgroups)):
        raise ValueError(
            f"allowed says for each of {len(profiles)} features which of the {len(subgroups)} "
            f"subgroups of {group!r} may be named; got shape {np.shape(allowed)}."
        )
    energy, minimum = score_subgroups(group, profiles)
    score = np.minimum(energy, minimum)
    best = largest_subgroups(group, energy, minimum, threshold, allowed)

    within = np.array([[set(a.elements) <= set(b.elements) for a in subgroups] for b in subgroups])
    stabilizers = []
    for i, chosen in enumerate(best):
        scores_outside = np.where(within[chosen], -np.inf, score[i])
        second = int(np.argmax(scores_outside))
        exists = np.isfinite(scores_outside[second])
        stabilizers.append(
            Stabilizer(
                subgroup=subgroups[chosen],
                energy=float(energy[i, chosen]),
                minimum=float(minimum[i, chosen]),
                margin=float(score[i, chosen] - threshold),
                runner_up=subgroups[second] if exists else None,
                runner_up_score=float(scores_outside[second]) if exists else float("nan"),
            )
        )
    return stabilizers


def score_subgroups(group: FiniteGroup, profiles: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and minimum of self-profiles over every subgroup.

    Parameters
    ----------
    group : FiniteGroup
    profiles : ndarray of shape (..., order)

    Returns
    -------
    energy, minimum : ndarray of shape (..., n_subgroups)
        In the order of ``group.subgroups()``; see `find_stabilizers`.

    Raises
    ------
    ValueError
        If the group has more than 128 elements.
    """
    parts = [profiles[..., list(s.elements)] for s in group.subgroups()]
    energy = np.stack([part.mean(axis=-1) for part in parts], axis=-1)
    return energy, np.stack([part.min(axis=-1) for part in parts], axis=-1)


def largest_subgroups(
    group: FiniteGroup,
    energy: FloatArray,
    minimum: FloatArray,
    threshold: float,
    allowed: ArrayLike | None = None,
) -> NDArray[np.intp]:
    """Choose the largest subgroup that passes, ties by energy: the rule of `find_stabilizers`.

    Parameters
    ----------
    group : FiniteGroup
    energy, minimum : ndarray of shape (..., n_subgroups)
        Of `score_subgroups`.
    threshold : float
        What both must exceed. The trivial subgroup always passes.
    allowed : array-like of bool, of shape (..., n_subgroups), optional
        See `find_stabilizers`.

    Returns
    -------
    chosen : ndarray of shape (...), of int
        Indices in ``group.subgroups()``.
    """
    passes = np.minimum(energy, minimum) > threshold
    if allowed is not None:
        passes &= np.asarray(allowed, dtype=bool)
    passes[..., 0] = True  # the identity fixes everything, a feature of rounding errors too
    orders = np.array([subgroup.order for subgroup in group.subgroups()])
    # Lexicographic: order first, then energy, kept below half a step of order. Corrected for noise
    # energies may exceed 1 a little.
    return np.argmax(np.where(passes, orders + np.clip(energy, 0, 1.9) / 2, -1), axis=-1)
