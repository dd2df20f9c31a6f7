"""How sure a feature's symmetry is, from photographs left out in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri
from scipy.stats import t as student
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from tqdm.auto import tqdm

from .._ambient import own_state
from .._device import resolve_device
from .._plain import as_numpy
from ..crosscoder import GroupCrosscoder
from ..crosscoder._rows import Rows, check_finite
from ..crosscoder._validation import validate_rows
from ..groups import FiniteGroup, Stabilizer, find_stabilizers
from ..groups._stabilizer import energies_and_minima, largest_above

FloatArray = NDArray[np.floating]

#: Bags of photographs that must count, by Kish's effective number, for a standard error.
MIN_EFFECTIVE_BAGS = 5
N_DRAWS = 400
# Sums of some features at a time, over all and over one bag: this many bytes of float32 each.
_BYTES_OF_SUMS = 2**29
# Resampled profiles of some features at a time: this many bytes of float64.
_BYTES_A_PASS = 2**26


@dataclass(frozen=True)
class ProfileEvidence:
    """Self-profiles estimated from photographs, and how they vary between photographs.

    Attributes
    ----------
    group : FiniteGroup
    profiles : ndarray of shape (m, order)
        ``c_ii(h)`` of the atoms as the photographs refit them, corrected for noise: 1 at the
        identity; noise may carry other values a little beyond. NaN where `reasons` says why.
    deviations : ndarray of shape (n_bags, m, order)
        What each bag of photographs contributes to the uncertainty: the covariance of a profile
        is the sum over bags of the outer products of its deviations.
    degrees_of_freedom : ndarray of shape (m,)
        Effective number of bags in which the feature fires, less one.
    n_photographs : ndarray of shape (m,), int64
        Photographs in which the feature fires.
    reasons : list of str
        Why there is no evidence for a feature; empty where there is.
    seed : int
        Of the draws from which bounds and confidence come.
    """

    group: FiniteGroup
    profiles: FloatArray
    deviations: FloatArray
    degrees_of_freedom: FloatArray
    n_photographs: NDArray[np.int64]
    reasons: list[str]
    seed: int

    @property
    def energies(self) -> FloatArray:
        """``E_H`` of every feature and every one of ``group.subgroups()``."""
        return energies_and_minima(self.group, self.profiles)[0]

    @property
    def standard_errors(self) -> FloatArray:
        """Standard errors of `energies`; 0 for the trivial subgroup, whose energy is 1."""
        deviations = energies_and_minima(self.group, self.deviations)[0]
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
        energy, errors = self.energies, self.standard_errors
        deviations = energies_and_minima(self.group, self.deviations)[0]
        normal, uniform = self._draws()
        bounds = np.full_like(energy, np.nan)
        for part in self._parts(energy.shape[1]):
            scaled = np.divide(
                deviations[:, part],
                errors[part],
                out=np.zeros_like(deviations[:, part]),
                where=errors[part] > 1e-9,
            )
            largest = np.tensordot(normal, scaled, axes=1).max(axis=2)  # draws x features
            df = np.where(np.isnan(self.degrees_of_freedom[part]), 1, self.degrees_of_freedom[part])
            # one chi-square a draw turns normal deviations into those of a t distribution
            largest *= np.sqrt(df / chdtri(df, uniform[:, None]))
            critical = np.quantile(largest, 1 - error_rate, axis=0)
            # at least the bound of one subgroup alone, whatever the draws say
            critical = np.maximum(critical, student.ppf(1 - error_rate, df))
            bounds[part] = energy[part] - critical[:, None] * errors[part]
        bounds[self._missing] = np.nan
        return bounds

    @own_state()
    def name(
        self, threshold: float = 0.8, *, margin: float = 0.1, error_rate: float = 0.05
    ) -> tuple[list[Stabilizer], FloatArray]:
        """Name stabilizers with a stated error rate, and say how often resamples agree.

        A subgroup H may be named if ``E_H`` and the profile's minimum over H exceed the threshold
        and the lower bound of ``E_H`` exceeds ``threshold - margin``; the largest such H is named.
        So the probability that a feature is given *any* subgroup with a true ``E_H`` of at most
        ``threshold - margin`` is at most `error_rate`, to the accuracy of the bounds: over draws
        of photographs, the crosscoder's encoder and other atoms being what they are.

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
        named = np.array([class_of[index[s.subgroup.elements]] for s in stabilizers], dtype=int)
        shortfall = self.energies - bounds
        normal, _ = self._draws()
        confidence = np.full(len(self.profiles), np.nan)
        for part in self._parts(self.group.order + 2 * len(class_of)):
            resampled = self.profiles[part] + np.tensordot(normal, self.deviations[:, part], axes=1)
            energy, minimum = energies_and_minima(self.group, resampled)
            may = energy - shortfall[part] > threshold - margin
            chosen = class_of[largest_above(self.group, energy, minimum, threshold, may)]
            confidence[part] = (chosen == named[part]).mean(axis=0)
        confidence[self._missing] = np.nan
        return stabilizers, confidence

    @property
    def _missing(self) -> NDArray[np.bool_]:
        return np.array([bool(reason) for reason in self.reasons], dtype=bool)

    def _draws(self) -> tuple[FloatArray, FloatArray]:
        """Weights of the bags and a uniform number for each draw, the same for every feature."""
        rng = np.random.default_rng(self.seed)
        return rng.standard_normal((N_DRAWS, len(self.deviations))), rng.uniform(size=N_DRAWS)

    def _parts(self, width: int) -> list[slice]:
        step = max(1, _BYTES_A_PASS // (8 * N_DRAWS * width))
        return [slice(i, i + step) for i in range(0, len(self.profiles), step)]


@own_state()
def gather_evidence(
    crosscoder: GroupCrosscoder,
    orbits: Any,
    image_ids: ArrayLike,
    *,
    n_bags: int = 20,
    random_state: int = 0,
    device: str | torch.device = "auto",
    batch_size: int = 256,
    progress: bool = False,
) -> ProfileEvidence:
    """Refit every atom from photographs, with each bag of them left out in turn.

    With the codes f and the other atoms as they are, the least-squares atom i of a bag b is the
    sum over its samples of ``f_i (R + f_i W_i)``, R the residual, divided by that of ``f_i²``.
    Products of *different* bags have no noise in common, so the profile is taken from those alone:
    noise, which makes every atom look less symmetric than its feature is, drops out of it. Leaving
    out one bag at a time gives the jackknife's standard errors. Two passes over the data, in memory
    of the atoms three times (fewer at a time, and more passes, above half a gigabyte).

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        Fitted.
    orbits : ndarray, memory map or OrbitStore, of shape (n_samples, order, n_channels)
        Read in batches. Held-out photographs are the stronger evidence: an encoder was not fitted
        to them.
    image_ids : array-like of shape (n_samples,)
        The photograph of each sample: samples of one photograph are alike and stay together.
    n_bags : int, default=20
        Bags of photographs; with fewer photographs, one bag each. At least 5.
    random_state : int, default=0
        Deals photographs into bags.
    device : str or torch.device, default="auto"
    batch_size : int, default=256
        Samples read at a time.
    progress : bool, default=False

    Returns
    -------
    evidence : ProfileEvidence

    Raises
    ------
    ValueError
        If `image_ids` does not have one entry a sample, there are fewer than 5 photographs or
        bags, the orbits do not fit the crosscoder or are not finite, or its group has more than
        128 elements.
    """
    check_is_fitted(crosscoder)
    group = crosscoder.group_
    group.subgroups()  # a group too large for names is refused before the work
    rows = validate_rows(crosscoder, orbits, group, reset=False)
    ids = np.asarray(as_numpy(image_ids, "image_ids"))
    if ids.shape != (len(rows),):
        raise ValueError(
            f"image_ids names the photograph of each of the {len(rows)} samples; got shape "
            f"{ids.shape}. Datasets and stores carry it as image_ids_."
        )
    photographs, image = np.unique(ids, return_inverse=True)
    n_bags = min(n_bags, len(photographs))
    if n_bags < MIN_EFFECTIVE_BAGS:
        raise ValueError(
            f"How photographs vary is seen from {MIN_EFFECTIVE_BAGS} bags of them or more; got "
            f"n_bags={n_bags} and {len(photographs)} photographs. Without more of them, analyse "
            "the atoms alone: fit(crosscoder)."
        )
    rng = np.random.default_rng(random_state)
    bag_of = rng.permutation(np.arange(len(photographs)) % n_bags)[image]
    bags = [np.flatnonzero(bag_of == b) for b in range(n_bags)]
    reader = _Reader(crosscoder, rows, resolve_device(device), batch_size)
    fires = np.zeros((len(photographs), len(crosscoder.components_)), dtype=bool)

    m, n_columns = crosscoder.components_.shape
    step = max(1, _BYTES_OF_SUMS // (4 * n_columns))
    within, across, weight = np.zeros((3, n_bags, m, group.order))
    parts = [slice(i, min(i + step, m)) for i in range(0, m, step)]
    bar = tqdm(total=2 * n_bags * len(parts), desc="refitting atoms", disable=not progress)
    for part in parts:
        total: Tensor | None = None
        for b, members in enumerate(bags):
            sums, energy = reader.sums(members, part, image, fires)
            total = sums if total is None else total + sums
            weight[b, part] = energy[:, None]
            bar.update()
        assert total is not None
        for b, members in enumerate(bags):
            sums, _ = reader.sums(members, part, image, fires)
            within[b, part] = paired_profiles(sums, sums, group)
            across[b, part] = paired_profiles(sums, total, group)
            bar.update()
    bar.close()
    return _summarise(
        group, within, across, weight[..., 0], fires.sum(axis=0), int(rng.integers(2**31))
    )


def paired_profiles(left: Tensor, right: Tensor, group: FiniteGroup) -> FloatArray:
    """``(Σ_g ⟨A_i[g], B_i[gh]⟩ + Σ_g ⟨B_i[g], A_i[gh]⟩) / 2`` of pairs, (m, order), float64."""
    elements = torch.arange(group.order, dtype=torch.int64, device=left.device)
    # row h: where T[g, gh] stands in the flat matrix of all products of two blocks
    table = torch.from_numpy(group.cayley_table.T.copy()).to(left.device)
    places = elements * group.order + table
    products = (left @ right.transpose(1, 2)).flatten(1).double()
    profile = torch.stack([products[:, place].sum(dim=1) for place in places], dim=1)
    backwards = torch.from_numpy(group.inverses.copy()).to(left.device)
    return ((profile + profile[:, backwards]) / 2).cpu().numpy()


class _Reader:
    """Sums over bags of ``f_i (R + f_i W_i)``: what least squares makes atoms of."""

    def __init__(
        self, crosscoder: GroupCrosscoder, rows: Rows, device: torch.device, batch_size: int
    ) -> None:
        self._dictionary = crosscoder._dictionary(np.dtype(np.float32), device)
        self._rows, self._device, self._batch_size = rows, device, batch_size
        self._n_read = crosscoder.encoder_.shape[1]
        self._shape = (crosscoder.group_.order, crosscoder.n_channels_)

    def sums(
        self,
        members: NDArray[np.intp],
        part: slice,
        image: NDArray[np.intp],
        fires: NDArray[np.bool_],
    ) -> tuple[Tensor, FloatArray]:
        """Sums (features of the part, order, d), and of ``f_i²``; notes where features fire."""
        decoder = self._dictionary.parameters.decoder[part]
        sums = torch.zeros_like(decoder)
        energy = torch.zeros(len(decoder), dtype=torch.float64, device=self._device)
        for start in range(0, len(members), self._batch_size):
            index = members[start : start + self._batch_size]
            block = self._rows.read(index, dtype=decoder.dtype)
            check_finite(block, index, "orbits")
            block = block.to(self._device)
            codes = self._dictionary.encode(block[:, : self._n_read])
            residual = block - self._dictionary.decode(codes)
            some = codes[:, part]
            sums += some.T @ residual
            energy += some.double().square().sum(dim=0)
            sample, feature = (a.cpu().numpy() for a in torch.nonzero(some, as_tuple=True))
            fires[image[index[sample]], feature + part.start] = True
        sums += energy[:, None].to(sums.dtype) * decoder
        return sums.reshape(-1, *self._shape), energy.cpu().numpy()


def _summarise(
    group: FiniteGroup,
    within: FloatArray,
    across: FloatArray,
    weight: FloatArray,
    n_photographs: NDArray[np.int64],
    seed: int,
) -> ProfileEvidence:
    """Jackknife over bags, from profiles within each bag and of each bag with the sum."""
    n_bags = len(within)
    own = within.sum(axis=0)
    # products of different bags: of all, and of all but one
    whole = across.sum(axis=0) - own
    left_out = whole - 2 * (across - within)
    effective = np.divide(
        weight.sum(axis=0) ** 2,
        (weight**2).sum(axis=0),
        out=np.zeros(weight.shape[1]),
        where=weight.any(axis=0),
    )
    repeats = (whole[:, 0] > 0) & (left_out[..., 0] > 0).all(axis=0)
    known = repeats & (effective >= MIN_EFFECTIVE_BAGS)
    reasons = []
    for i in range(len(known)):
        if known[i]:
            reasons.append("")
        elif n_photographs[i] == 0:
            reasons.append("fires on no photograph")
        elif effective[i] < MIN_EFFECTIVE_BAGS:
            reasons.append(
                f"fires on {n_photographs[i]} photographs, as if in {effective[i]:.1f} of "
                f"{n_bags} bags; at least {MIN_EFFECTIVE_BAGS} are needed"
            )
        else:
            reasons.append("its atom does not repeat between photographs")
    norm = np.where(known, whole[:, 0], 1.0)[:, None]
    norms = np.where(known, left_out[..., 0], 1.0)[..., None]
    replicates = left_out / norms
    # bags in which a feature does not fire are no evidence: they leave its profile as it is
    counts = np.maximum((weight > 0).sum(axis=0), 1)[:, None]
    fired = (weight > 0)[..., None]
    centre = (replicates * fired).sum(axis=0) / counts
    deviations = np.sqrt((counts - 1) / counts) * (centre - replicates) * fired
    profiles = whole / norm
    profiles[~known], deviations[:, ~known] = np.nan, np.nan
    df = np.where(known, effective - 1, np.nan)
    return ProfileEvidence(group, profiles, deviations, df, n_photographs, reasons, seed)


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
