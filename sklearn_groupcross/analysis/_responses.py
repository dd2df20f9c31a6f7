"""Whether a feature's responses to transformed inputs carry the symmetry of its atom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..groups import FiniteGroup, Stabilizer, Subgroup
from ._bounds import lower_bounds
from ._code_profiles import CodeProfiles
from ._jackknife import MIN_EFFECTIVE_BAGS

FloatArray = NDArray[np.floating]

#: What is said where no orbits were given, or where the encoder reads whole orbits.
NOT_MEASURED = "not measured"
CARRIED, ALIKE_OUTSIDE = "carry it", "as alike outside of it"
UNKNOWN = "unknown"
#: Said where too little is known, and that little speaks against the symmetry of the atom.
SILENT = "some of its strongest inputs fall silent"
# Share of transformed strongest inputs on which a feature has to fire still: most of them. Of names
# that correlations carry this took none on the dictionaries that it was settled on.
_MOST = 0.5
# What is alike everywhere leads nowhere, but by rounding errors.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Responses:
    """What features do with transformed inputs, beside what their atoms promise.

    Attributes
    ----------
    words : ndarray of shape (m,), of str
        ``"carry it"``, the whole symmetry of the atom; ``"carry part: …"``; ``"lack: …"``, the
        responses differ where the atom does not; ``"as alike outside of it"``, they are alike, but
        as much under what the symmetry does not contain; ``"unknown: …"``, the feature fires on
        too few images, and whether its strongest inputs fall silent; empty for atoms without
        symmetry. ``"not measured"`` without orbits.
    inside : ndarray of shape (m,)
        Mean correlation of a feature's code on y with its code on h·y, over the h of the atom's
        symmetry other than the identity. NaN where there are none, or where nothing was measured.
    outside : ndarray of shape (m,)
        The same over all other h; for atoms that the whole group fixes, the correlation with
        other orbits of the same image.
    strongest : ndarray of shape (m,)
        Share of its strongest inputs, at most nine of as many images, transformed by the h of the
        atom's symmetry other than the identity, on which the feature fires still. NaN as `inside`,
        and where it never fires.
    profiles : ndarray of shape (m, order) or None
        The correlations: see `CodeProfiles`.
    """

    words: NDArray[np.object_]
    inside: FloatArray
    outside: FloatArray
    strongest: FloatArray
    profiles: FloatArray | None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Features whose responses were measured, on images enough."""
        return np.array(
            [not word.startswith((NOT_MEASURED, UNKNOWN)) for word in self.words], dtype=bool
        )


def no_responses(m: int) -> Responses:
    """Responses of `m` features of which nothing was measured."""
    nothing = np.full(m, np.nan)
    words = np.full(m, NOT_MEASURED, dtype=object)
    return Responses(words, nothing, nothing.copy(), nothing.copy(), None)


def confirm_names(
    measured: CodeProfiles,
    stabilizers: Sequence[Stabilizer],
    atom_profiles: FloatArray,
    *,
    threshold: float,
    margin: float,
    error_rate: float,
    seed: int,
) -> tuple[list[Stabilizer], Responses]:
    """State of every atom's symmetry what the responses carry.

    Of the subgroups H of the atom's stabilizer other than the trivial one, responses carry H if
    every correlation in H exceeds `threshold`, the lower bound of their mean exceeds ``threshold -
    margin``, the lower bound of the mean in H less that outside of H exceeds 0, and the feature
    fires on most of its strongest inputs when H transforms them. Outside of the
    whole group are other orbits of the same image. The largest such H is stated, among equally
    large ones that with the largest mean; none, if there is none, or if the responses are alike in
    all of the stabilizer and as much outside of it. Bounds are those of a jackknife
    over bags of images, and hold for all H of a feature at once: the probability that a feature is
    given any H of a true mean of at most ``threshold - margin``, or not above that outside of it,
    is at most `error_rate`. Of features that fire on too few images hardly anything is known: the
    atom's symmetry stands if not one of their strongest inputs falls silent under it, and words say
    so.

    Parameters
    ----------
    measured : CodeProfiles
    stabilizers : sequence of Stabilizer, of length m
        Of the atoms.
    atom_profiles : ndarray of shape (m, order)
        From which these were named.
    threshold, margin, error_rate : float
    seed : int
        Of the draws from which the bounds come.

    Returns
    -------
    stated : list of Stabilizer
    responses : Responses
    """
    m = len(stabilizers)
    words = np.full(m, "", dtype=object)
    inside, outside, strongest = np.full((3, m), np.nan)
    stated = list(stabilizers)
    with_the_same: dict[tuple[int, ...], list[int]] = {}
    for i, stabilizer in enumerate(stabilizers):
        if stabilizer.subgroup.order > 1:
            with_the_same.setdefault(stabilizer.subgroup.elements, []).append(i)
    for members in with_the_same.values():
        features, own = np.array(members), stabilizers[members[0]].subgroup
        trial = _Trial(measured, features, own, threshold, margin, error_rate, seed)
        inside[features], outside[features] = trial.inside, trial.outside
        strongest[features] = trial.strongest
        for row, i in enumerate(members):
            if trial.is_known[row]:
                carried, words[i] = trial.verdict(row)
            else:
                n_images = f"{measured.n_images[i]} images, as if on {trial.n_effective[row]:.1f}"
                words[i] = (
                    f"{UNKNOWN}: fires on {n_images}; at least {MIN_EFFECTIVE_BAGS} are needed"
                )
                carried = own
                if trial.strongest[row] < 1:  # all that is known: none of it may speak against it
                    carried, words[i] = None, f"{words[i]}; {SILENT}"
            stated[i] = _restrict(stabilizers[i], atom_profiles[i], carried)
    return stated, Responses(words, inside, outside, strongest, measured.profiles)


def not_stated(of_atoms: Sequence[Stabilizer], stated: Sequence[Stabilizer]) -> NDArray[np.bool_]:
    """Elements that leave atoms as they are, and are not stated of their features: (m, order)."""
    lost = np.zeros((len(stated), stated[0].subgroup.group.order if len(stated) else 0), dtype=bool)
    for row, atom, feature in zip(lost, of_atoms, stated, strict=True):
        row[list(atom.subgroup.elements)] = True
        row[list(feature.subgroup.elements)] = False
    return lost


class _Trial:
    """What the responses of features of one symmetry carry of it."""

    def __init__(
        self,
        measured: CodeProfiles,
        features: NDArray[np.intp],
        symmetry: Subgroup,
        threshold: float,
        margin: float,
        error_rate: float,
        seed: int,
    ) -> None:
        whole = set(symmetry.elements)
        subgroups = symmetry.group.subgroups()[1:]  # sorted by order: the last is the whole of it
        self._candidates = [h for h in subgroups if whole.issuperset(h.elements)]
        n = len(self._candidates)
        figures, deviations, df = _jackknife(
            measured, features, _contrasts(symmetry.group, self._candidates)
        )
        self.n_effective = df + 1
        self.is_known = self.n_effective >= MIN_EFFECTIVE_BAGS
        df = np.where(self.is_known, df, np.nan)
        bounds = lower_bounds(figures, deviations, df, error_rate, seed)
        profiles = measured.profiles[features]
        smallest = [profiles[:, h.elements[1:]].min(axis=1) for h in self._candidates]
        firing = _firing(measured.strongest[features], self._candidates)
        self._alike = (bounds[:, :n] > threshold - margin) & (np.stack(smallest, 1) > threshold)
        self._alike &= firing >= _MOST
        self._passes = self._alike & (bounds[:, n:] > _ROUNDING)
        self._mean = figures[:, :n]
        self.inside = figures[:, n - 1]
        self.outside = figures[:, n - 1] - figures[:, 2 * n - 1]
        self.strongest = firing[:, n - 1]

    def verdict(self, row: int) -> tuple[Subgroup | None, str]:
        """What is carried, and the same in words."""
        symmetry = self._candidates[-1]
        if self._passes[row, -1]:
            return symmetry, CARRIED
        if self._alike[row, -1]:  # nothing would tell a part of it from the whole
            return None, ALIKE_OUTSIDE
        if self._passes[row].any():
            sizes = np.array([h.order for h in self._candidates]) + self._mean[row] / 4
            part = self._candidates[int(np.argmax(np.where(self._passes[row], sizes, -1)))]
            return part, f"carry part: {_describe(part)}"
        return None, f"lack: {_describe(symmetry)}"


def _firing(strongest: FloatArray, candidates: Sequence[Subgroup]) -> FloatArray:
    """Share of strongest inputs, transformed by each subgroup, on which features fire: (k, n)."""
    counts = (strongest[:, :, 0] > 0).sum(axis=1)
    fires = (strongest > 0).sum(axis=1)  # those that are not there fire nowhere
    totals = np.stack([fires[:, h.elements[1:]].mean(axis=1) for h in candidates], axis=1)
    return np.divide(
        totals, counts[:, None], out=np.full(totals.shape, np.nan), where=counts[:, None] > 0
    )


def _contrasts(group: FiniteGroup, candidates: Sequence[Subgroup]) -> FloatArray:
    """Weights of correlations at all h, and elsewhere, in the mean inside H and its lead."""
    n = len(candidates)
    weights = np.zeros((2 * n, group.order + 1))
    for i, h in enumerate(candidates):
        within = np.zeros(group.order + 1, dtype=bool)
        within[list(h.elements)] = True
        outside = ~within
        outside[-1] = h.order == group.order  # elsewhere, if nothing else is left
        within[0] = False
        weights[[i, n + i]] = within / within.sum()
        weights[n + i] -= outside / outside.sum()
    return weights


def _jackknife(
    measured: CodeProfiles, features: NDArray[np.intp], weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weighted sums of correlations, their deviations over bags, and degrees of freedom."""
    profiles, elsewhere = measured.leaving_out(features)
    replicates = profiles @ weights[:, :-1].T + elsewhere[..., None] * weights[:, -1]
    figures = measured.profiles[features] @ weights[:, :-1].T
    figures += measured.elsewhere[features, None] * weights[:, -1]
    energy = measured.squares[:, features]
    fired = energy > 0
    # bags in which a feature does not fire are no evidence: they leave its figures as they are
    counts = np.maximum(fired.sum(axis=0), 1)[:, None]
    center = (replicates * fired[..., None]).sum(axis=0) / counts
    deviations = np.sqrt((counts - 1) / counts) * (center - replicates) * fired[..., None]
    total = np.where(fired.any(axis=0), (energy**2).sum(axis=0), 1.0)
    return figures, deviations, energy.sum(axis=0) ** 2 / total - 1


def _restrict(own: Stabilizer, profile: FloatArray, carried: Subgroup | None) -> Stabilizer:
    """What is left of an atom's stabilizer; what is not stated of it becomes the runner-up."""
    symmetry = own.subgroup
    if carried is None:
        carried = symmetry.group.subgroups()[0]
    if carried.elements == symmetry.elements:
        return own
    score, threshold = min(own.energy, own.minimum), min(own.energy, own.minimum) - own.margin
    values = profile[list(carried.elements)]
    energy, minimum = float(values.mean()), float(values.min())
    margin = min(energy, minimum) - threshold
    return Stabilizer(carried, energy, minimum, margin, symmetry, score)


def _describe(subgroup: Subgroup) -> str:
    """What a subgroup does, without its class."""
    return subgroup.name.split(": ", 1)[-1]
