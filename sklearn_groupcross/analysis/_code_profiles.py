"""How alike a feature fires on an input and on the transformed input: measured, not read off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array
from torch import Tensor

from .._ambient import own_state
from .._device import resolve_device
from .._integers import check_integer
from .._plain import as_plain
from .._progress import tqdm
from .._stacks._belonging import image_of_each
from .._stacks._rows import Rows, check_finite, is_row_readable
from .._stacks._validation import FLOATS, check_blocks
from ..crosscoder import (
    GroupCrosscoder,
    check_reads_activations,
    dictionary_of,
    flatten_orbits,
)
from ..groups import CompactFourier, FiniteGroup

FloatArray = NDArray[np.float64]

# Codes of all blocks of some orbits at a time: this many bytes of float64.
_BYTES_OF_CODES = 2**26
# Strongest inputs of a feature that are kept: as many as a person looks at.
_N_STRONGEST = 9


@dataclass(frozen=True)
class CodeProfiles:
    """Correlations of codes on y with codes on h·y, over all inputs y = g·x of orbits.

    Attributes
    ----------
    profiles : ndarray of shape (m, order), float64
        ``profiles[i, h]`` is the correlation of feature i's code on y with its code on h·y; 1 at
        the identity, and the same at h and at its inverse. The mean over a subgroup is exactly the
        share of the code's variance that the subgroup leaves as it is. 0 where a code does not
        vary.
    elsewhere : ndarray of shape (m,), float64
        The control: the correlation of a feature's code on y with its code on another orbit of the
        same image, transformed or not. 0 where images have one orbit each.
    n_firings : ndarray of shape (m,), int64
        Orbits on some block of which a feature fires. Correlations of features that fire on a
        handful of orbits mean little.
    n_images : ndarray of shape (m,), int64
        Images of these orbits.
    sums, squares, other_products : ndarray of shape (n_bags, m), float64
        For every bag of images, of the codes of all blocks of its orbits: their sums, those of
        their squares, and of products of two codes from different orbits of one image.
    products : ndarray of shape (n_bags, m, order), float64
        For every bag, sums of products of the code on y with the code on h·y.
    n_orbits, n_other_pairs : ndarray of shape (n_bags,), int64
        Orbits of every bag, and pairs of different orbits of one image.
    strongest : ndarray of shape (m, 9, order), float64
        ``strongest[i, j, h]`` is feature i's code on h·y for its j-th strongest input y, at most
        one an image: what somebody sees who looks at what excites a feature, and turns it. 0 where
        a feature fires on fewer images.
    """

    profiles: FloatArray
    elsewhere: FloatArray
    n_firings: NDArray[np.int64]
    n_images: NDArray[np.int64]
    sums: FloatArray
    squares: FloatArray
    other_products: FloatArray
    products: FloatArray
    n_orbits: NDArray[np.int64]
    n_other_pairs: NDArray[np.int64]
    strongest: FloatArray

    @own_state()
    def reweighted(self, weights: ArrayLike) -> FloatArray:
        """Profiles with every bag of images counted as often as its weight says.

        Orbits of one image are no independent samples: an interval comes from drawing images, or
        bags of them, with replacement.

        Parameters
        ----------
        weights : array-like of shape (n_bags,)
            For a bootstrap sample, how often each bag was drawn.

        Returns
        -------
        profiles : ndarray of shape (m, order)

        Raises
        ------
        ValueError
            If there is not one weight a bag.
        """
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != self.n_orbits.shape:
            raise ValueError(
                f"One weight for each of {len(self.n_orbits)} bags of images; got shape "
                f"{weights.shape}."
            )
        return _correlations(
            weights @ self.sums,
            weights @ self.squares,
            np.tensordot(weights, self.products, axes=1),
            weights @ self.other_products,
            np.float64(weights @ self.n_orbits),
            np.float64(weights @ self.n_other_pairs),
        )[0]

    @own_state()
    def leaving_out(self, features: NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        """Profiles and control of some features with each bag left out: for a jackknife.

        Parameters
        ----------
        features : ndarray of int, of shape (k,)

        Returns
        -------
        profiles : ndarray of shape (n_bags, k, order)
        elsewhere : ndarray of shape (n_bags, k)
        """
        parts = (self.sums, self.squares, self.products, self.other_products)
        left = [a[:, features].sum(axis=0) - a[:, features] for a in parts]
        counts = [(n.sum() - n)[:, None].astype(float) for n in (self.n_orbits, self.n_other_pairs)]
        return _correlations(*left, *counts)


@own_state()
def code_profiles(
    crosscoder: GroupCrosscoder,
    orbits: ArrayLike,
    image_ids: ArrayLike | None = None,
    *,
    n_bags: int = 120,
    max_orbits: int | None = None,
    random_state: int = 0,
    device: str | torch.device = "auto",
    progress: bool = False,
) -> CodeProfiles:
    """Correlate every feature's code on y with its code on h·y, for all h.

    Block g of an orbit is the activation of g·x, and the encoder reads one activation: so block g,
    encoded as if it were the identity block, gives the code of y = g·x, and block hg that of h·y.
    Every orbit gives ``order`` such pairs for each h. A feature whose atom H leaves as it is should
    fire alike on y and on h·y for h in H: the orbit of h·x is ``O[gh]``, and an atom with
    ``W[gh] = W[g]`` serves both equally. The self-profile of an atom says so from the decoder; this
    says so from the encoder and, on orbits that were not trained on, independently.

    Takes one pass over the orbits, one encoding of every block, and for each feature the products
    of all pairs of blocks.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        Fitted with ``encoder_input="identity"``.
    orbits : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
        Best of images that it was not fitted on. Memory maps and stores are read image by image.
    image_ids : array-like of shape (n_samples,), optional
        Which image an orbit is of: `OrbitDataset.image_ids`. Default: every orbit its own.
    n_bags : int, default=120
        Images are dealt into as many bags at most, and sums kept of each: memory for
        ``n_bags * m * order`` numbers.
    max_orbits : int, optional
        Read no more orbits than these, evenly spaced. Default: all.
    random_state : int, default=0
        Deals images into bags.
    device : str or torch.device, default="auto"
    progress : bool, default=False

    Returns
    -------
    profiles : CodeProfiles

    Raises
    ------
    ValueError
        If the encoder reads whole orbits, shapes do not fit, or orbits are not finite.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
    >>> from sklearn_groupcross.analysis import code_profiles
    >>> orbits = make_orbits(300, group=Dihedral(3), n_channels=8, random_state=0).orbits
    >>> crosscoder = GroupCrosscoder(Dihedral(3), n_features=12, random_state=0).fit(orbits[:200])
    >>> code_profiles(crosscoder, orbits[200:]).profiles.shape
    (12, 6)
    """
    check_reads_activations(crosscoder)
    n_bags = check_integer("n_bags", n_bags, 1)
    max_orbits = None if max_orbits is None else check_integer("max_orbits", max_orbits, 1)
    rows, group = _checked_rows(crosscoder, orbits), crosscoder.group_
    given = np.arange(len(rows)) if image_ids is None else image_ids
    ids = image_of_each(given, orbits, len(rows))
    n_read = len(rows) if max_orbits is None else min(max_orbits, len(rows))
    chosen = np.unique(np.linspace(0, len(rows) - 1, n_read).astype(np.int64))
    images, image_of = np.unique(ids[chosen], return_inverse=True)
    n_bags = min(n_bags, len(images))
    bag_of = np.random.default_rng(random_state).permutation(np.arange(len(images)) % n_bags)
    bags = _Sums(n_bags, len(crosscoder.components_), group)
    encoder = _BlockEncoder(crosscoder, rows, resolve_device(device))
    members = np.split(np.argsort(image_of, kind="stable"), np.bincount(image_of).cumsum()[:-1])
    for image, of_image in enumerate(tqdm(members, desc="responses", disable=not progress)):
        bags.add(int(bag_of[image]), encoder.read(chosen[of_image]), len(of_image))
    return bags.profiles()


class _BlockEncoder:
    """Codes of every block, encoded as if it were the identity block."""

    def __init__(self, crosscoder: GroupCrosscoder, rows: Rows, device: torch.device) -> None:
        self._dictionary = dictionary_of(crosscoder, rows.dtype, device)
        self._rows, self._device = rows, device
        self._order = crosscoder.group_.order
        self._step = max(1, _BYTES_OF_CODES // (8 * self._order * len(crosscoder.components_)))

    def read(self, index: NDArray[np.int64]) -> Iterator[Tensor]:
        """Codes (n_rows, order, m), some rows at a time."""
        dtype = self._dictionary.parameters.encoder.dtype
        for start in range(0, len(index), self._step):
            part = index[start : start + self._step]
            block = self._rows.read(part, dtype=dtype)
            check_finite(block, part, "Input orbits")
            block = block.to(self._device).reshape(len(part) * self._order, -1)
            yield self._dictionary.encode(block).reshape(len(part), self._order, -1)


class _Sums:
    """What correlations take, summed over the orbits of every bag."""

    def __init__(self, n_bags: int, m: int, group: FiniteGroup) -> None:
        self._sums, self._squares, self._others = np.zeros((3, n_bags, m))
        self._products = np.zeros((n_bags, m, group.order))
        self._n_orbits, self._n_pairs = np.zeros((2, n_bags), dtype=np.int64)
        self._n_firings, self._n_images = np.zeros((2, m), dtype=np.int64)
        self._table = group.cayley_table
        self._strongest = np.zeros((m, _N_STRONGEST, group.order))
        self._fourier = CompactFourier(group)
        # blocks in the order of inverses: what moves from g to hg there moves from g to gh
        forward = self._fourier.forward[:, group.inverses]
        self._forward = torch.tensor(forward, dtype=torch.float64, device="cpu")

    def add(self, bag: int, parts: Iterator[Tensor], n_orbits: int) -> None:
        """Add the orbits of one image."""
        m = self._sums.shape[1]
        total, total_squares = np.zeros((2, m))  # of sums over an orbit
        n_firings = np.zeros(m, dtype=np.int64)
        strongest = np.zeros((m, self._strongest.shape[2]))
        for codes in parts:
            # most features fire on no block of most orbits: only those that do are looked at
            feature, orbit = codes.any(dim=1).T.nonzero(as_tuple=True)
            fired = codes.transpose(1, 2)[orbit, feature].cpu().double()
            index, starts, counts = np.unique(
                feature.cpu().numpy(), return_index=True, return_counts=True
            )
            if len(index) == 0:
                continue
            self._products[bag, index] += self._correlate(fired, starts)
            self._squares[bag, index] += _by_feature(fired.square().sum(dim=1), starts)
            of_orbits = fired.sum(dim=1)
            total[index] += _by_feature(of_orbits, starts)
            total_squares[index] += _by_feature(of_orbits.square(), starts)
            n_firings[index] += counts
            found = self._around_strongest(fired, starts, counts)
            larger = found[:, 0] > strongest[index, 0]
            strongest[index[larger]] = found[larger]
        self._sums[bag] += total
        # products of all pairs, less those of an orbit with itself
        self._others[bag] += total**2 - total_squares
        self._n_orbits[bag] += n_orbits
        self._n_pairs[bag] += n_orbits * (n_orbits - 1)
        self._n_firings += n_firings
        self._n_images += n_firings > 0
        self._keep(strongest)

    def _correlate(self, fired: Tensor, starts: NDArray[np.intp]) -> FloatArray:
        """Sums over orbits of ``Σ_g f[g] f[hg]``, (k, order), of codes (n, order), by feature."""
        parts = (self._forward @ fired.T).split(self._fourier.sizes)
        products = []
        for part, (n_rows, n_columns) in zip(parts, self._fourier.shapes, strict=True):
            rows = part.reshape(n_rows, n_columns, -1)
            of_columns = (rows[:, :, None] * rows[:, None]).sum(dim=0)
            products.append(_by_feature(of_columns.flatten(0, 1), starts))
        correlations: FloatArray = (self._fourier.correlations @ np.concatenate(products)).T
        return correlations

    def _around_strongest(
        self, fired: Tensor, starts: NDArray[np.intp], counts: NDArray[np.intp]
    ) -> FloatArray:
        """Codes on h·y, (k, order), of the strongest y of each feature, of codes (n, order)."""
        peaks, blocks = (values.numpy() for values in fired.max(dim=1))
        is_largest = peaks == np.maximum.reduceat(peaks, starts).repeat(counts)
        places = np.flatnonzero(is_largest)
        first = places[np.searchsorted(places, starts)]
        return np.take_along_axis(fired.numpy()[first], self._table[:, blocks[first]].T, axis=1)

    def _keep(self, strongest: FloatArray) -> None:
        """Take an image's strongest inputs among those of all images."""
        stronger = np.flatnonzero(strongest[:, 0] > self._strongest[:, -1, 0])
        among = np.concatenate([self._strongest[stronger], strongest[stronger, None]], axis=1)
        order = np.argsort(-among[:, :, 0], axis=1, kind="stable")[:, :-1]
        self._strongest[stronger] = np.take_along_axis(among, order[:, :, None], axis=1)

    def profiles(self) -> CodeProfiles:
        profiles, elsewhere = _correlations(
            self._sums.sum(axis=0),
            self._squares.sum(axis=0),
            self._products.sum(axis=0),
            self._others.sum(axis=0),
            np.float64(self._n_orbits.sum()),
            np.float64(self._n_pairs.sum()),
        )
        return CodeProfiles(
            profiles,
            elsewhere,
            self._n_firings,
            self._n_images,
            self._sums,
            self._squares,
            self._others,
            self._products,
            self._n_orbits,
            self._n_pairs,
            self._strongest,
        )


def _by_feature(values: Tensor, starts: NDArray[np.intp]) -> FloatArray:
    """Sums of values (..., n), over the entries of each feature, which stand side by side."""
    sums: FloatArray = np.add.reduceat(values.numpy(), starts, axis=-1)
    return sums


def _checked_rows(crosscoder: GroupCrosscoder, orbits: ArrayLike) -> Rows:
    """Orbits as the crosscoder reads them, wherever they lie.

    Raises
    ------
    ValueError
        If they do not fit.
    """
    order = crosscoder.group_.order
    stacks: Any = as_plain(orbits, "orbits")
    if not is_row_readable(stacks):
        flat = flatten_orbits(stacks, crosscoder.group_)
        stacks = check_array(flat, dtype=FLOATS, input_name="orbits")
    rows = Rows(stacks)
    if rows.shape[1] != order * crosscoder.n_channels_:
        raise ValueError(
            f"The crosscoder takes orbits of {order} blocks of {crosscoder.n_channels_} channels; "
            f"got shape {tuple(stacks.shape)}."
        )
    check_blocks(stacks, crosscoder.group_)
    return rows


def _correlations(
    sums: FloatArray,
    squares: FloatArray,
    products: FloatArray,
    other_products: FloatArray,
    n_orbits: FloatArray | np.float64,
    n_other_pairs: FloatArray | np.float64,
) -> tuple[FloatArray, FloatArray]:
    """Profiles (..., m, order), and the correlation with other orbits of the same image (..., m).

    Counts have the shape of the other axes, with one for m.
    """
    order = products.shape[-1]
    n_blocks = np.asarray(np.maximum(n_orbits * order, 1))
    mean, square = sums / n_blocks, squares / n_blocks
    variance = square - mean**2
    # a code that does not vary has a variance of rounding errors: below a millionth of its square
    varies = variance > 1e-6 * square
    safe = np.where(varies, variance, 1.0)
    profiles = products / n_blocks[..., None] - mean[..., None] ** 2
    elsewhere = other_products / np.maximum(n_other_pairs * order**2, 1) - mean**2
    return (
        np.where(varies[..., None], profiles / safe[..., None], 0.0),
        np.where(varies & (n_other_pairs > 0), elsewhere / safe, 0.0),
    )
