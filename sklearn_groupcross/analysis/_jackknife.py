"""`gather_evidence`: atoms refitted from images, with each bag of them left out in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .._ambient import own_state
from .._device import resolve_device
from .._integers import check_integer
from .._progress import tqdm
from .._stacks._belonging import image_of_each
from .._stacks._coefficients import coefficients_by_column
from .._stacks._rows import Rows, check_finite
from .._stacks._validation import validate_rows
from ..crosscoder import GroupCrosscoder, dictionary_of
from ..groups import CompactFourier, FiniteGroup
from ._evidence import ProfileEvidence

FloatArray = NDArray[np.floating]

#: Bags of images that must count, by Kish's effective number, for a standard error.
MIN_EFFECTIVE_BAGS = 5
# Sums of some features at a time, over all and over one bag: this many bytes of float32 each.
_BYTES_OF_SUMS = 2**29
# Of sums that are transformed at once: with their coefficients they stay in a core's cache.
_CHUNK_BYTES = 2**21


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
    """Refit every atom from images, with each bag of them left out in turn.

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
        Read in batches. Held-out images are the stronger evidence: an encoder was not fitted
        to them.
    image_ids : array-like of shape (n_samples,)
        The image of each sample: samples of one image are alike and stay together.
    n_bags : int, default=20
        Bags of images; with fewer images, one bag each. At least 5.
    random_state : int, default=0
        Deals images into bags.
    device : str or torch.device, default="auto"
    batch_size : int, default=256
        Samples read at a time.
    progress : bool, default=False

    Returns
    -------
    evidence : ProfileEvidence

    Raises
    ------
    TypeError
        If it is no crosscoder.
    ValueError
        If `image_ids` does not have one entry a sample, there are fewer than 5 images or
        bags, the orbits do not fit the crosscoder or are not finite, or its group has more than
        128 elements.
    """
    if not isinstance(crosscoder, GroupCrosscoder):
        raise TypeError(f"crosscoder is a GroupCrosscoder; got a {type(crosscoder).__name__}.")
    check_is_fitted(crosscoder)
    n_bags = check_integer("n_bags", n_bags, 1)
    group = crosscoder.group_
    group.subgroups()  # a group too large for names is refused before the work
    rows = validate_rows(crosscoder, orbits, group, reset=False)
    ids = image_of_each(image_ids, orbits, len(rows))
    images, image = np.unique(ids, return_inverse=True)
    n_bags = min(n_bags, len(images))
    if n_bags < MIN_EFFECTIVE_BAGS:
        raise ValueError(
            f"How images vary is seen from {MIN_EFFECTIVE_BAGS} bags of them or more; got "
            f"n_bags={n_bags} and {len(images)} images. Without more of them, analyse "
            "the atoms alone: fit(crosscoder)."
        )
    rng = np.random.default_rng(random_state)
    bag_of = rng.permutation(np.arange(len(images)) % n_bags)[image]
    bags = [np.flatnonzero(bag_of == b) for b in range(n_bags)]
    reader = _Reader(crosscoder, rows, resolve_device(device), batch_size)
    fires = np.zeros((len(images), len(crosscoder.components_)), dtype=bool)

    m, n_columns = crosscoder.components_.shape
    step = max(1, _BYTES_OF_SUMS // (4 * n_columns))
    within, across, weight = np.zeros((3, n_bags, m, group.order))
    parts = [slice(i, min(i + step, m)) for i in range(0, m, step)]
    bar = tqdm(total=2 * n_bags * len(parts), desc="refitting atoms", disable=not progress)
    for part in parts:
        decoder = reader.decoder[part]
        total = torch.zeros_like(decoder)
        for b, members in enumerate(bags):
            weight[b, part] = reader.add_to(total, members, part, image, fires)[:, None]
            bar.update()
        energy = torch.from_numpy(weight[:, part, 0]).to(decoder)
        total.addcmul_(energy.sum(dim=0)[:, None], decoder)
        sums = torch.empty_like(decoder)
        paired = PairedProfiles(total, group)
        for b, members in enumerate(bags):
            torch.mul(energy[b, :, None], decoder, out=sums)
            reader.add_to(sums, members, part, image, fires)
            within[b, part], across[b, part] = paired(sums)
            bar.update()
    bar.close()
    return _summarize(
        group, within, across, weight[..., 0], fires.sum(axis=0), int(rng.integers(2**31))
    )


class PairedProfiles:
    """Profiles of pairs of stacks: of others with one another, and with some that stay.

    ``(Σ_g ⟨A_i[g], B_i[gh]⟩ + Σ_g ⟨B_i[g], A_i[gh]⟩) / 2`` of A and B, through the Fourier domain.

    Parameters
    ----------
    stay : Tensor of shape (m, order * d)
    group : FiniteGroup
    """

    def __init__(self, stay: Tensor, group: FiniteGroup) -> None:
        self._group, self._fourier = group, CompactFourier(group)
        self._forward = torch.tensor(self._fourier.forward, dtype=stay.dtype, device=stay.device)
        self._step = max(1, _CHUNK_BYTES // (stay.shape[1] * stay.element_size()))
        self._stay = [self._coefficients(chunk) for chunk in stay.split(self._step)]

    def __call__(self, others: Tensor) -> tuple[FloatArray, FloatArray]:
        """Profiles (m, order), float64, of others with themselves, and with those that stay."""
        within, across = [], []
        for chunk, stay in zip(others.split(self._step), self._stay, strict=True):
            coefficients = self._coefficients(chunk)
            within.append(self._products(coefficients, coefficients))
            across.append(self._products(coefficients, stay))
        return self._profiles(within), self._profiles(across)

    def _coefficients(self, stacks: Tensor) -> list[Tensor]:
        """Of each irrep, (n, D, D / t * d): column, and rows with channels."""
        blocks = stacks.reshape(len(stacks), self._group.order, -1)
        parts = coefficients_by_column(blocks, self._forward, self._fourier)
        return [part.flatten(2) for part in parts]

    def _products(self, left: list[Tensor], right: list[Tensor]) -> Tensor:
        """Of columns, (n, Σ D²), irrep after irrep."""
        pairs = zip(left, right, strict=True)
        return torch.cat([(a @ b.transpose(1, 2)).flatten(1) for a, b in pairs], dim=1)

    def _profiles(self, products: list[Tensor]) -> FloatArray:
        exact = torch.cat(products).double().cpu().numpy()
        profiles: FloatArray = exact @ self._fourier.correlations.T
        return (profiles + profiles[:, self._group.inverses]) / 2


class _Reader:
    """Sums over samples of ``f_i R``: what least squares adds to atoms."""

    def __init__(
        self, crosscoder: GroupCrosscoder, rows: Rows, device: torch.device, batch_size: int
    ) -> None:
        self._dictionary = dictionary_of(crosscoder, np.dtype(np.float32), device)
        self._rows, self._device, self._batch_size = rows, device, batch_size
        self._n_read = crosscoder.encoder_.shape[1]

    @property
    def decoder(self) -> Tensor:
        """Atoms (m, order * d), on the device."""
        return self._dictionary.parameters.decoder

    def add_to(
        self,
        sums: Tensor,
        members: NDArray[np.intp],
        part: slice,
        image: NDArray[np.intp],
        fires: NDArray[np.bool_],
    ) -> FloatArray:
        """Add to sums (features of the part, order * d); note where features fire.

        Returns
        -------
        energy : ndarray of shape (features of the part,)
            Sums of ``f_i²``.
        """
        energy = torch.zeros(len(sums), dtype=torch.float64, device=self._device)
        for start in range(0, len(members), self._batch_size):
            index = members[start : start + self._batch_size]
            block = self._rows.read(index, dtype=sums.dtype)
            check_finite(block, index, "Input orbits")
            block = block.to(self._device)
            codes = self._dictionary.encode(block[:, : self._n_read])
            residual = block.sub_(self._dictionary.decode(codes))
            part_codes = codes[:, part]
            self._dictionary.add_products_(sums, part_codes, residual)
            energy += part_codes.double().square().sum(dim=0)
            sample, feature = (a.cpu().numpy() for a in torch.nonzero(part_codes, as_tuple=True))
            fires[image[index[sample]], feature + part.start] = True
        return energy.cpu().numpy()


def _summarize(
    group: FiniteGroup,
    within: FloatArray,
    across: FloatArray,
    weight: FloatArray,
    n_images: NDArray[np.int64],
    seed: int,
) -> ProfileEvidence:
    """Jackknife over bags, from profiles within each bag and of each bag with the sum."""
    n_bags = len(within)
    within_bags = within.sum(axis=0)
    # products of different bags: of all, and of all but one
    whole = across.sum(axis=0) - within_bags
    left_out = whole - 2 * (across - within)
    effective = np.divide(
        weight.sum(axis=0) ** 2,
        (weight**2).sum(axis=0),
        out=np.zeros(weight.shape[1]),
        where=weight.any(axis=0),
    )
    repeats = (whole[:, 0] > 0) & (left_out[..., 0] > 0).all(axis=0)
    has_evidence = repeats & (effective >= MIN_EFFECTIVE_BAGS)
    reasons = []
    for i in range(len(has_evidence)):
        if has_evidence[i]:
            reasons.append("")
        elif n_images[i] == 0:
            reasons.append("fires on no image")
        elif effective[i] < MIN_EFFECTIVE_BAGS:
            reasons.append(
                f"fires on {n_images[i]} images, as if in {effective[i]:.1f} of "
                f"{n_bags} bags; at least {MIN_EFFECTIVE_BAGS} are needed"
            )
        else:
            reasons.append("its atom does not repeat between images")
    norm = np.where(has_evidence, whole[:, 0], 1.0)[:, None]
    norms = np.where(has_evidence, left_out[..., 0], 1.0)[..., None]
    replicates = left_out / norms
    # bags in which a feature does not fire are no evidence: they leave its profile as it is
    counts = np.maximum((weight > 0).sum(axis=0), 1)[:, None]
    fired = (weight > 0)[..., None]
    center = (replicates * fired).sum(axis=0) / counts
    deviations = np.sqrt((counts - 1) / counts) * (center - replicates) * fired
    profiles = whole / norm
    profiles[~has_evidence], deviations[:, ~has_evidence] = np.nan, np.nan
    df = np.where(has_evidence, effective - 1, np.nan)
    return ProfileEvidence(group, profiles, deviations, df, n_images, reasons, seed)
