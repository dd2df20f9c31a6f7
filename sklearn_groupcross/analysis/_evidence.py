"""How sure a feature's symmetry is: profiles with standard errors, and the names they bear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._ambient import own_state
from ..groups import (
    FiniteGroup,
    Stabilizer,
    find_stabilizers,
    largest_subgroups,
    score_subgroups,
)
from ._bounds import draws, lower_bounds, parts
from ._family_names import Kin, pooled

FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class ProfileEvidence:
    """Self-profiles estimated from images, and how they vary between images.

    Attributes
    ----------
    group : FiniteGroup
    profiles : ndarray of shape (m, order)
        ``c_ii(h)`` of the atoms as the images refit them, corrected for noise: 1 at the
        identity; noise may carry other values a little beyond. NaN where `reasons` says why.
    deviations : ndarray of shape (n_bags, m, order)
        What each bag of images contributes to the uncertainty: the covariance of a profile
        is the sum over bags of the outer products of its deviations.
    degrees_of_freedom : ndarray of shape (m,)
        Effective number of bags in which the feature fires, less one.
    n_images : ndarray of shape (m,), int64
        Images in which the feature fires.
    reasons : list of str
        Why there is no evidence for a feature; empty where there is.
    seed : int
        Of the draws from which bounds and confidence come.
    """

    group: FiniteGroup
    profiles: FloatArray
    deviations: FloatArray
    degrees_of_freedom: FloatArray
    n_images: NDArray[np.int64]
    reasons: list[str]
    seed: int

    @property
    def energies(self) -> FloatArray:
        """``E_H`` of every feature and every one of ``group.subgroups()``."""
        return score_subgroups(self.group, self.profiles)[0]

    @property
    def standard_errors(self) -> FloatArray:
        """Standard errors of `energies`; 0 for the trivial subgroup, whose energy is 1."""
        deviations = score_subgroups(self.group, self.deviations)[0]
        return np.sqrt((deviations**2).sum(axis=0))

    @own_state()
    def lower_bounds(self, error_rate: float = 0.05) -> FloatArray:
        """Lower bounds of `energies` that hold for all subgroups of a feature at once.

        ``E_H - q SE_H``, where q is the ``1 - error_rate`` quantile of the largest studentised
        deviation over all subgroups. Their correlation counts: subgroups of one feature share
        elements, so q lies far below Bonferroni's.

        Parameters
        ----------
        error_rate : float, default=0.05
            Probability, in (0, 1), that any of a feature's bounds exceeds the true energy.

        Returns
        -------
        bounds : ndarray of shape (m, n_subgroups)
            NaN without evidence.
        """
        _check_rate("error_rate", error_rate)
        deviations = score_subgroups(self.group, self.deviations)[0]
        bounds = lower_bounds(
            self.energies, deviations, self.degrees_of_freedom, error_rate, self.seed
        )
        bounds[self._missing] = np.nan
        return bounds

    def of_families(self, kin: Sequence[Kin]) -> ProfileEvidence:
        """Evidence for the mean profile of families, each in the pose of its medoid.

        Bags hold the same images for all features, so that what images do to several members at
        once is in the deviations of their mean.

        Parameters
        ----------
        kin : sequence of Kin
            Members without evidence do not count.

        Returns
        -------
        evidence : ProfileEvidence
            One row a family. Images and degrees of freedom are those of the member that has most:
            the family has no fewer.
        """
        missing, reasons = self._missing, []
        df, n_images = np.full(len(kin), np.nan), np.zeros(len(kin), dtype=np.int64)
        for f, family in enumerate(kin):
            known = family.members[~missing[family.members]]
            reasons.append("" if len(known) else self.reasons[family.medoid])
            n_images[f] = self.n_images[family.members].max()
            if len(known):
                df[f] = self.degrees_of_freedom[known].max()
        return ProfileEvidence(
            self.group,
            pooled(self.profiles, kin, self.group),
            pooled(self.deviations, kin, self.group),
            df,
            n_images,
            reasons,
            self.seed,
        )

    @own_state()
    def name(
        self, threshold: float = 0.8, *, margin: float = 0.1, error_rate: float = 0.05
    ) -> tuple[list[Stabilizer], FloatArray]:
        """Name stabilizers with a stated error rate, and say how often resamples agree.

        A subgroup H may be named if ``E_H`` and the profile's minimum over H exceed the threshold
        and the lower bound of ``E_H`` exceeds ``threshold - margin``; the largest such H is named.
        So the probability that a feature is given *any* subgroup with a true ``E_H`` of at most
        ``threshold - margin`` is at most `error_rate`, to the accuracy of the bounds: over draws
        of images, the crosscoder's encoder and other atoms being what they are.

        Parameters
        ----------
        threshold : float, default=0.8
        margin : float, default=0.1
            In [0, threshold).
        error_rate : float, default=0.05
            In (0, 1).

        Returns
        -------
        stabilizers : list of Stabilizer
            Of features without evidence, the trivial subgroup, of energy NaN.
        confidence : ndarray of shape (m,)
            Share of resampled profiles for which the same rule names the same conjugacy class.
            NaN without evidence.

        Raises
        ------
        ValueError
            If a parameter is out of range.
        """
        if not 0 <= margin < threshold:
            raise ValueError(f"margin lies in [0, threshold); got {margin}, threshold {threshold}.")
        bounds = self.lower_bounds(error_rate)
        allowed = bounds > threshold - margin
        profiles = np.where(self._missing[:, None], -1.0, self.profiles)
        stabilizers = find_stabilizers(self.group, profiles, threshold, allowed=allowed)
        for i in np.flatnonzero(self._missing):
            trivial = stabilizers[i].subgroup
            nan = float("nan")
            stabilizers[i] = Stabilizer(trivial, nan, nan, nan, None, nan)
        class_of = _class_numbers(self.group)
        index = {s.elements: i for i, s in enumerate(self.group.subgroups())}
        class_named = np.array(
            [class_of[index[s.subgroup.elements]] for s in stabilizers], dtype=int
        )
        shortfall = self.energies - bounds
        normal, _ = draws(self.seed, len(self.deviations))
        confidence = np.full(len(self.profiles), np.nan)
        for part in parts(len(self.profiles), self.group.order + 2 * len(class_of)):
            resampled = self.profiles[part] + np.tensordot(normal, self.deviations[:, part], axes=1)
            energy, minimum = score_subgroups(self.group, resampled)
            may = energy - shortfall[part] > threshold - margin
            chosen = class_of[largest_subgroups(self.group, energy, minimum, threshold, may)]
            confidence[part] = (chosen == class_named[part]).mean(axis=0)
        confidence[self._missing] = np.nan
        return stabilizers, confidence

    @property
    def _missing(self) -> NDArray[np.bool_]:
        return np.array([bool(reason) for reason in self.reasons], dtype=bool)


def _class_numbers(group: FiniteGroup) -> NDArray[np.intp]:
    """Conjugacy class of each of ``group.subgroups()``, as a number."""
    number = {
        member.elements: i
        for i, members in enumerate(group.subgroup_classes())
        for member in members
    }
    return np.array([number[subgroup.elements] for subgroup in group.subgroups()])


def _check_rate(name: str, rate: float) -> None:
    if not 0 < rate < 1:
        raise ValueError(f"{name} lies in (0, 1); got {rate}.")
