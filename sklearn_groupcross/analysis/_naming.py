"""The symmetry that is stated of every feature: of atoms, of families, as responses carry it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .._stacks._belonging import find_image_ids
from ..crosscoder import GroupCrosscoder
from ..groups import FiniteGroup, Stabilizer, find_stabilizers
from ._code_profiles import code_profiles
from ._evidence import ProfileEvidence
from ._family_names import Kin, hand_out, pooled
from ._jackknife import gather_evidence
from ._responses import NOT_MEASURED, Responses, confirm_names, no_responses

FloatArray = NDArray[np.floating]

# With more orbits, as many of them, evenly spaced, are asked for the responses of features.
_MAX_ORBITS_OF_RESPONSES = 20_000


@dataclass(frozen=True)
class Rates:
    """What names are held to: parameters of `SymmetryAnalyzer`."""

    threshold: float
    margin: float
    error_rate: float
    response_threshold: float
    refit: bool


@dataclass(frozen=True)
class Images:
    """Orbits that a crosscoder reads, and the image of each: what names are asked of.

    Attributes
    ----------
    crosscoder : GroupCrosscoder
        Fitted.
    orbits : array or OrbitStore of shape (n_samples, order, n_channels)
    image_ids : array-like of shape (n_samples,)
    """

    crosscoder: GroupCrosscoder
    orbits: Any
    image_ids: ArrayLike
    seed: int
    device: str | torch.device
    progress: bool

    def how(self) -> dict[str, Any]:
        """How images are drawn and read."""
        return {"random_state": self.seed, "device": self.device, "progress": self.progress}


@dataclass(frozen=True)
class AtomNames:
    """Symmetries of atoms, each by itself.

    Attributes
    ----------
    stabilizers : list of Stabilizer
    confidence : ndarray of shape (m,)
        NaN where images say too little, or were not asked.
    profiles : ndarray of shape (m, order)
        Self-profiles that the names are read off.
    evidence : ProfileEvidence or None
    """

    stabilizers: list[Stabilizer]
    confidence: FloatArray
    profiles: FloatArray
    evidence: ProfileEvidence | None


def resolve_images(
    crosscoder: Any,
    orbits: Any,
    image_ids: ArrayLike | None,
    *,
    seed: int,
    device: str | torch.device,
    progress: bool,
) -> Images:
    """Check that orbits can be asked, and of which image each of them is.

    Raises
    ------
    ValueError, TypeError
    """
    if not isinstance(crosscoder, GroupCrosscoder):
        raise TypeError(
            "Orbits are encoded by the crosscoder whose atoms these are: "
            "fit(crosscoder, orbits=...). Atoms alone are analysed without orbits."
        )
    ids = find_image_ids(image_ids, orbits)
    return Images(crosscoder, orbits, ids, seed, device, progress)


def name_atoms(
    group: FiniteGroup, profiles: FloatArray, rates: Rates, images: Images | None
) -> AtomNames:
    """Name every atom by its self-profile (m, order), as it stands or as images refit it.

    Raises
    ------
    ValueError
        If images are asked, and margin is not below the threshold.
    """
    standing = find_stabilizers(group, profiles, rates.threshold)
    if images is None or not rates.refit:
        return AtomNames(standing, np.full(len(profiles), np.nan), profiles, None)
    if rates.margin >= rates.threshold:
        raise ValueError(
            f"margin lies in [0, threshold); got {rates.margin}, threshold {rates.threshold}."
        )
    evidence = replace(
        gather_evidence(images.crosscoder, images.orbits, images.image_ids, **images.how()),
        group=group,  # the crosscoder's, which may lack the names
    )
    named, confidence = evidence.name(
        rates.threshold, margin=rates.margin, error_rate=rates.error_rate
    )
    # an atom of which images say too little is named as it stands
    atoms = _where_known(confidence, named, standing)
    refitted = np.where(np.isnan(confidence)[:, None], profiles, evidence.profiles)
    return AtomNames(atoms, confidence, refitted, evidence)


def _where_known(
    confidence: FloatArray, named: Sequence[Stabilizer], standing: Sequence[Stabilizer]
) -> list[Stabilizer]:
    """Names from images where these say enough, otherwise those of atoms as they stand."""
    known = ~np.isnan(confidence)
    return [a if k else b for k, a, b in zip(known, named, standing, strict=True)]


def name_families(
    group: FiniteGroup, names: AtomNames, profiles: FloatArray, kin: Sequence[Kin], rates: Rates
) -> tuple[list[Stabilizer], FloatArray]:
    """Give the members of a family one name, that of their mean profile.

    Parameters
    ----------
    group : FiniteGroup
    names : AtomNames
        What features alone keep.
    profiles : ndarray of shape (m, order)
        Self-profiles of the atoms as they stand.
    kin : sequence of Kin
        The families.
    rates : Rates

    Returns
    -------
    stabilizers : list of Stabilizer
    confidence : ndarray of shape (m,)
    """
    if not kin:
        return names.stabilizers, names.confidence
    of_families = find_stabilizers(group, pooled(profiles, kin, group), rates.threshold)
    shared = np.full(len(kin), np.nan)
    if names.evidence is not None:
        refitted, shared = names.evidence.of_families(kin).name(
            rates.threshold, margin=rates.margin, error_rate=rates.error_rate
        )
        # a family of which images say too little is named as it stands
        of_families = _where_known(shared, refitted, of_families)
    confidence = names.confidence.copy()
    for family, certainty in zip(kin, shared, strict=True):
        confidence[family.members] = certainty
    return hand_out(kin, of_families, names.stabilizers), confidence


def explain_missing(
    confidence: FloatArray, names: AtomNames, rates: Rates, images: Images | None
) -> list[str]:
    """Why there is no confidence, or that it is of the family alone; empty otherwise."""
    if images is None:
        reasons = [f"{NOT_MEASURED}: no orbits were given"] * len(confidence)
    elif names.evidence is None:
        reasons = [f"{NOT_MEASURED}: refit={rates.refit}"] * len(confidence)
    else:
        reasons = names.evidence.reasons
        of_family = "its family's: the feature {}"
        return [
            reason if np.isnan(c) or not reason else of_family.format(reason)
            for c, reason in zip(confidence, reasons, strict=True)
        ]
    return [reason if np.isnan(c) else "" for c, reason in zip(confidence, reasons, strict=True)]


def confirm_by_images(
    names: AtomNames, stabilizers: list[Stabilizer], rates: Rates, images: Images | None
) -> tuple[list[Stabilizer], Responses]:
    """State of every atom's symmetry what its feature's responses carry, if images are asked.

    Nothing is asked of a crosscoder that reads whole orbits.
    """
    if images is None or images.crosscoder.encoder_.shape[1] != images.crosscoder.n_channels_:
        return stabilizers, no_responses(len(stabilizers))
    measured = code_profiles(
        images.crosscoder,
        images.orbits,
        images.image_ids,
        max_orbits=_MAX_ORBITS_OF_RESPONSES,
        **images.how(),
    )
    return confirm_names(
        measured,
        stabilizers,
        names.profiles,
        threshold=rates.response_threshold,
        margin=rates.margin,
        error_rate=rates.error_rate,
        seed=images.seed,
    )
