"""Codes of a fitted crosscoder as arrays, whatever containers users want theirs in."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from .._ambient import own_state
from .._device import resolve_device
from .._plain import as_plain, as_tensor
from .._stacks._rows import Rows, is_row_readable
from .._stacks._validation import FLOATS, validate_rows
from ._activations import ACTIVATIONS
from ._attributes import CrosscoderAttributes
from ._inference import FittedDictionary, encode
from ._parameters import Parameters


@own_state()
def codes_of_orbits(crosscoder: CrosscoderAttributes, X: ArrayLike, *, sparse: bool = False) -> Any:
    """Codes of orbit stacks as an array, for code that computes with them.

    `GroupCrosscoder.transform` gives the same numbers in the container that its user has asked
    for: its result is a data frame where ``set_output`` or scikit-learn's configuration say so, and
    sparse with ``sparse_output``. What is computed from codes should not depend on that.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        A fitted one.
    X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
    sparse : bool, default=False
        Give a CSR array.

    Returns
    -------
    codes : ndarray or csr_array of shape (n_samples, n_atoms)

    Raises
    ------
    ValueError
        As `GroupCrosscoder.transform`.
    NotFittedError

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
    >>> from sklearn_groupcross.crosscoder import codes_of_orbits
    >>> orbits = make_orbits(200, group=Dihedral(3), n_channels=8, random_state=0).orbits
    >>> crosscoder = GroupCrosscoder(group=Dihedral(3), n_features=12, random_state=0).fit(orbits)
    >>> type(crosscoder.set_output(transform="pandas").transform(orbits)).__name__
    'DataFrame'
    >>> type(codes_of_orbits(crosscoder, orbits)).__name__
    'ndarray'
    """
    check_is_fitted(crosscoder)
    rows = validate_rows(crosscoder, X, crosscoder.group_, reset=False)
    return encode(rows, dictionary_of(crosscoder, rows.dtype), sparse=sparse)


@own_state()
def codes_of_activations(
    crosscoder: CrosscoderAttributes, activations: ArrayLike, *, sparse: bool = False
) -> Any:
    """Codes of untransformed activations as an array; as `codes_of_orbits`.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        A fitted one, with ``encoder_input="identity"``.
    activations : array-like of shape (n_samples, n_channels)
    sparse : bool, default=False
        Give a CSR array.

    Returns
    -------
    codes : ndarray or csr_array of shape (n_samples, n_atoms)

    Raises
    ------
    ValueError
        As `GroupCrosscoder.encode`.
    NotFittedError
    """
    check_is_fitted(crosscoder)
    if crosscoder.encoder_.shape[1] != crosscoder.n_channels_:
        raise ValueError(
            'encode reads untransformed activations alone; with encoder_input="orbit" codes '
            'need the whole orbit: use transform, or fit with encoder_input="identity".'
        )
    array: Any = as_plain(activations, "activations")
    if not (is_row_readable(array) and len(array.shape) == 2):
        array = check_array(array, dtype=FLOATS, input_name="activations")
    rows = Rows(array)
    if rows.shape[1] != crosscoder.n_channels_:
        raise ValueError(
            f"encode takes untransformed activations of {crosscoder.n_channels_} channels; "
            f"got {rows.shape[1]} columns. Orbit stacks go to transform."
        )
    return encode(rows, dictionary_of(crosscoder, rows.dtype), sparse=sparse)


def dictionary_of(
    crosscoder: CrosscoderAttributes, dtype: np.dtype, device: torch.device | None = None
) -> FittedDictionary:
    """Weights of a fitted crosscoder as tensors, for code that computes with them on a device.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        A fitted one.
    dtype : numpy dtype
        Of the data. Weights are float64 if it is, or if those of the crosscoder are wider than
        float32 can hold; otherwise float32.
    device : torch.device, optional
        Default: as the crosscoder's `device` says.

    Returns
    -------
    dictionary : FittedDictionary
        Its ``encode`` makes codes of the blocks that the encoder reads, its ``decode`` orbit stacks
        of codes: tensors on the device.
    """
    device = resolve_device(crosscoder.device) if device is None else device
    intercept = crosscoder.intercept_.reshape(crosscoder.group_.order, crosscoder.n_channels_)
    # it is float64 where float32 would lose data that lie far from zero
    is_wide = np.float64 in (dtype, intercept.dtype)
    precision = torch.float64 if is_wide else torch.float32
    arrays = (
        crosscoder.encoder_,
        crosscoder.encoder_intercept_,
        crosscoder.components_,
        intercept,
    )
    weights = Parameters(*(as_tensor(array, precision).to(device) for array in arrays))
    n_atoms, width = crosscoder.components_.shape
    rule = ACTIVATIONS[crosscoder.activation_](n_atoms, width, crosscoder.k_)
    threshold = as_tensor(rule.threshold_array(crosscoder.threshold_), precision).to(device)
    return FittedDictionary(weights, threshold, rule)
