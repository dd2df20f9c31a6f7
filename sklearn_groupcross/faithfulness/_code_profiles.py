"""How alike a feature fires on an input and on the transformed input: measured, not read off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from .._ambient import own_state
from .._plain import as_numpy, as_plain
from .._stacks._rows import Rows, check_finite, is_row_readable
from .._stacks._validation import FLOATS, check_blocks
from ..crosscoder import (
    GroupCrosscoder,
    check_reads_activations,
    codes_of_activations,
    flatten_orbits,
)


@dataclass(frozen=True)
class CodeProfiles:
    """Correlations of codes on x with codes on h·x, over orbits.

    Attributes
    ----------
    profiles : ndarray of shape (m, order), float64
        ``profiles[i, h]`` is the correlation of feature i's code on x with its code on h·x; 1 at
        the identity. 0 where a code does not vary.
    n_firings : ndarray of shape (m,), int64
        Orbits on whose identity block a feature fires. Correlations of features that fire on a
        handful of orbits mean little.
    moments : ndarray of shape (n_images, 5, m, order), float64
        For every image, sums over its orbits: of the code on x, the code on h·x, their squares, and
        their product.
    n_orbits : ndarray of shape (n_images,), int64
        Orbits of every image.
    """

    profiles: NDArray[np.float64]
    n_firings: NDArray[np.int64]
    moments: NDArray[np.float64]
    n_orbits: NDArray[np.int64]

    @own_state()
    def reweighted(self, weights: ArrayLike) -> NDArray[np.float64]:
        """Profiles with every image counted as often as its weight says.

        Orbits of one image are no independent samples: an interval comes from drawing images with
        replacement.

        Parameters
        ----------
        weights : array-like of shape (n_images,)
            For a bootstrap sample, how often each image was drawn.

        Returns
        -------
        profiles : ndarray of shape (m, order)
        """
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != self.n_orbits.shape:
            raise ValueError(
                f"One weight for each of {len(self.n_orbits)} images; got shape {weights.shape}."
            )
        flat = weights @ self.moments.reshape(len(weights), -1)
        return _correlations(flat.reshape(self.moments.shape[1:]), float(weights @ self.n_orbits))


@own_state()
def code_profiles(
    crosscoder: GroupCrosscoder, orbits: ArrayLike, image_ids: ArrayLike | None = None
) -> CodeProfiles:
    """Correlate every feature's code on x with its code on h·x, for all h.

    Block h of an orbit is the activation of h·x, and the encoder reads one activation: so block h,
    encoded as if it were the identity block, gives the code of h·x. A feature whose atom H leaves
    as it is should fire alike on x and on h·x for h in H: the orbit of h·x is ``O[gh]``, and an
    atom with ``W[gh] = W[g]`` serves both equally. The self-profile of an atom says so from the
    decoder; this says so from the encoder and, on orbits that were not trained on, independently.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        Fitted with ``encoder_input="identity"``.
    orbits : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
        Best of images that it was not fitted on. Memory maps and stores are read image by image.
    image_ids : array-like of shape (n_samples,), optional
        Which image an orbit is of: `OrbitDataset.image_ids`. For `CodeProfiles.reweighted` alone.
        Default: every orbit its own, which takes memory for each.

    Returns
    -------
    profiles : CodeProfiles

    Raises
    ------
    ValueError
        If the encoder reads whole orbits, or shapes do not fit.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
    >>> from sklearn_groupcross.faithfulness import code_profiles
    >>> orbits = make_orbits(300, group=Dihedral(3), n_channels=8, random_state=0).orbits
    >>> crosscoder = GroupCrosscoder(Dihedral(3), n_features=12, random_state=0).fit(orbits[:200])
    >>> code_profiles(crosscoder, orbits[200:]).profiles.shape
    (12, 6)
    """
    check_reads_activations(crosscoder)
    order, n_features = crosscoder.group_.order, len(crosscoder.components_)
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
    n = len(rows)
    ids = np.arange(n) if image_ids is None else np.asarray(as_numpy(image_ids, "image_ids"))
    if ids.shape != (n,):
        raise ValueError(f"One image id for each of {n} orbits; got shape {ids.shape}.")
    names, image_of = np.unique(ids, return_inverse=True)
    moments = np.zeros((len(names), 5, n_features, order))
    n_firings = np.zeros(n_features, dtype=np.int64)
    for image in range(len(names)):
        codes = _codes_of_blocks(crosscoder, rows, np.flatnonzero(image_of == image))
        first = codes[:, :1]
        n_firings += np.count_nonzero(first[:, 0], axis=0)
        pairs = (first, codes, first**2, codes**2, first * codes)
        for k, values in enumerate(pairs):
            moments[image, k] = values.sum(axis=0).T  # of x alone: the same for all h
    n_orbits = np.bincount(image_of, minlength=len(names))
    profiles = _correlations(moments.sum(axis=0), float(n))
    return CodeProfiles(profiles, n_firings, moments, n_orbits)


def _codes_of_blocks(
    crosscoder: GroupCrosscoder, rows: Rows, index: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Codes of every block, encoded as if it were the identity block: (n_rows, order, m)."""
    order = crosscoder.group_.order
    block = rows.read(index, dtype=torch.float64 if rows.dtype == np.float64 else torch.float32)
    check_finite(block, index, "Input orbits")
    codes = codes_of_activations(crosscoder, block.reshape(len(index) * order, -1))
    return codes.reshape(len(index), order, -1).astype(np.float64)


def _correlations(sums: NDArray[np.float64], n: float) -> NDArray[np.float64]:
    first, second, first_squares, second_squares, products = sums / n
    variances = (first_squares - first**2) * (second_squares - second**2)
    # a code that does not vary has a variance of rounding errors: below a millionth of its square
    varies = variances > 1e-12 * first_squares * second_squares
    covariances = products - first * second
    return np.where(varies, covariances / np.sqrt(np.where(varies, variances, 1.0)), 0.0)
