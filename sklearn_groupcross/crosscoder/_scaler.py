"""`OrbitScaler`: a scaler that treats all blocks of an orbit stack alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    OneToOneFeatureMixin,
    TransformerMixin,
)
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted

from .._ambient import own_state
from .._plain import as_numpy
from .._sklearn import StrOptions, fit_context
from .._stacks._moments import Moments
from .._stacks._rows import Rows, check_finite, is_row_readable
from .._stacks._validation import (
    FLOATS,
    check_group_parameter,
    count_channels,
    flatten_orbits,
    validate_rows,
)
from .._whole import all_or_nothing
from ..groups import FiniteGroup, as_group
from ._summary import FAR

# A relative variance that rounding alone may leave: such channels are constant.
_ROUNDING = 1e-20


class OrbitScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Centre and scale orbit stacks by one number a channel, the same for every block.

    A `~sklearn.preprocessing.StandardScaler` has a mean and a factor for each column: the same
    channel is treated differently in different blocks, and the orbit of a transformed input is no
    longer that of the input with its blocks rearranged. This scaler shares both among blocks, so
    that it commutes with right translation: ``transform(R_h X) == R_h transform(X)``, and fitting
    on ``R_h X`` gives the same scaler.

    Parameters
    ----------
    group : FiniteGroup or str, optional
        The group whose elements index the blocks, or its name, such as ``"dihedral:4"``. Default:
        `Trivial`, one block. Flat orbit stacks do not say how many blocks they have: without their
        group every column is a channel of its own and has its own mean, as with ``StandardScaler``.
    with_mean : bool, default=True
        Subtract the mean of each channel over all samples and blocks.
    scaling : {"norm", "channel"} or None, default="norm"
        What to divide by after that. ``"norm"``: one number, such that the root mean square norm
        of a block becomes the square root of the number of channels. ``"channel"``: one number a
        channel, such that the root mean square of each becomes 1. None: nothing.

    Attributes
    ----------
    mean_ : ndarray of shape (n_channels_,), float64
        Mean of each channel over samples and blocks, in the units of X. `transform` subtracts it
        if `with_mean`.
    var_ : ndarray of shape (n_channels_,), float64
        Variance of each channel over samples and blocks about `mean_`, in squared units of X.
    scale_ : float or ndarray of shape (n_channels_,), float64
        What `transform` divides by, as with scikit-learn's scalers (`GroupCrosscoder.scale_` is
        multiplied by): 1.0 if `scaling` is None. Channels that centring leaves at zero have 1.
    group_ : FiniteGroup
    n_channels_ : int
        Columns of one block.
    n_samples_seen_ : int
        Orbit stacks in all calls of `partial_fit`.
    n_features_in_ : int
        Columns of X, ``order * n_channels_``.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Only if X was a data frame.

    See Also
    --------
    GroupCrosscoder : Scales its data by one number during training, and folds it back.

    Notes
    -----
    Both scalings are root mean squares of what is left after centring: of all channels together,
    or of each. Without centring that is not the standard deviation but the distance from zero.
    Unlike the mean norm of a block, they follow from `mean_` and `var_`, so that they are the same
    however the samples are split between calls of `partial_fit`, up to rounding.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, make_orbits
    >>> from sklearn_groupcross.crosscoder import OrbitScaler
    >>> orbits = make_orbits(200, group=Dihedral(3), n_channels=8, random_state=0).orbits
    >>> scaler = OrbitScaler(group=Dihedral(3)).fit(orbits)
    >>> scaler.transform(orbits).shape, scaler.mean_.shape
    ((200, 48), (8,))
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "group": [FiniteGroup, str, None],
        "with_mean": ["boolean"],
        "scaling": [StrOptions({"norm", "channel"}), None],
    }

    def __init__(
        self,
        group: FiniteGroup | str | None = None,
        *,
        with_mean: bool = True,
        scaling: str | None = "norm",
    ) -> None:
        self.group = group
        self.with_mean = with_mean
        self.scaling = scaling

    def fit(self, X: ArrayLike, y: Any = None) -> OrbitScaler:
        """Learn means and factors, and forget those of earlier fits.

        Parameters
        ----------
        X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
            Orbit stacks, block index = element index. A memory map is read some rows at a time.
        y : Ignored

        Returns
        -------
        self : OrbitScaler

        Raises
        ------
        ValueError
            If the columns do not divide into the group's blocks, X says that it was made with
            another group, or it holds NaN or infinity.
        """
        with all_or_nothing(self):
            if hasattr(self, "n_samples_seen_"):
                del self.n_samples_seen_
            return self.partial_fit(X, y)

    @fit_context(prefer_skip_nested_validation=True)
    @own_state()
    def partial_fit(self, X: ArrayLike, y: Any = None) -> OrbitScaler:
        """Learn from more orbit stacks, as if they had come with those before.

        Parameters
        ----------
        X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
        y : Ignored

        Returns
        -------
        self : OrbitScaler

        Raises
        ------
        ValueError
            As `fit`; also if the number of columns is not that of the first call.
        """
        with all_or_nothing(self):
            self._learn(X)
        return self

    def _learn(self, X: ArrayLike) -> None:
        first_call = not self.__sklearn_is_fitted__()
        if first_call:
            group = as_group(self.group)
        else:
            group = self.group_
        rows = validate_rows(self, X, group, reset=first_call)
        n_channels = count_channels(rows.shape[1], group)
        if first_call:
            moments = Moments(n_channels)
        else:
            n_blocks = self.n_samples_seen_ * group.order
            moments = Moments(n_channels, n_blocks, self.mean_, self.var_ * n_blocks)
        for _, block in _chunks(rows, torch.float64):
            moments.update(block.reshape(-1, n_channels))
        self.group_: FiniteGroup = group
        self.n_channels_: int = n_channels
        self.n_samples_seen_: int = moments.n_rows // group.order
        self.mean_: NDArray[np.float64] = moments.mean
        self.var_: NDArray[np.float64] = moments.squares / moments.n_rows
        self.scale_: float | NDArray[np.float64] = self._spread()

    @own_state()
    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Centre and scale orbit stacks.

        Parameters
        ----------
        X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)

        Returns
        -------
        scaled : ndarray of shape (n_samples, order * n_channels)
            Of the float dtype of X; float32 for narrower ones.
        """
        check_is_fitted(self)
        return self._rescale(validate_rows(self, X, self.group_, reset=False))

    @own_state()
    def inverse_transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Undo the scaling.

        Atoms that were learned from scaled orbits have no mean to add: multiply their blocks by
        `scale_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)

        Returns
        -------
        orbits : ndarray of shape (n_samples, order * n_channels)
            In the units of the data, of the float dtype of X.

        Raises
        ------
        ValueError
            If X has other columns than the orbits that the scaler was fitted on.
        """
        check_is_fitted(self)
        # no feature names are asked for: reconstructions have none
        X = flatten_orbits(X, self.group_)
        rows = Rows(X if is_row_readable(X) else check_array(as_numpy(X), dtype=FLOATS))
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {rows.shape[1]} columns, and the orbits that this scaler was fitted on "
                f"have {self.n_features_in_}: {self.group_.order} blocks of {self.n_channels_}."
            )
        return self._rescale(rows, back=True)

    def _validate_params(self) -> None:
        check_group_parameter(self)
        super()._validate_params()

    def __sklearn_is_fitted__(self) -> bool:
        # n_features_in_ is set before the data are read: a fit that failed has not fitted anything
        return hasattr(self, "n_samples_seen_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _spread(self) -> float | NDArray[np.float64]:
        """Root mean square of what is left after centring; 1 where that is nothing."""
        if self.scaling is None:
            return 1.0
        center = self.mean_ if self.with_mean else np.zeros_like(self.mean_)
        square = self.var_ + np.square(self.mean_ - center)
        if self.scaling == "norm":
            square, center = square.mean(), np.sqrt(np.square(center).mean())
        nothing = square <= _ROUNDING * np.square(center)
        spread = np.sqrt(np.where(nothing, 1.0, square))
        return float(spread) if spread.ndim == 0 else spread

    @property
    def _is_far(self) -> bool:
        """Whether float32 would lose digits of some channel, which lies far from zero."""
        square = np.square(self.mean_)
        varies = self.var_ > _ROUNDING * square
        return bool((varies & (square > FAR**2 * self.var_)).any())

    def _rescale(self, rows: Rows, *, back: bool = False) -> NDArray[np.floating]:
        """Scale all rows in their own precision or above, or undo it."""
        dtype = np.dtype(np.float64) if self._is_far else rows.dtype
        mean = self.mean_.astype(dtype) if self.with_mean else dtype.type(0)
        scale = np.asarray(self.scale_, dtype=dtype)
        rescaled = np.empty(rows.shape, dtype=rows.dtype)
        precision = torch.float64 if dtype == np.float64 else torch.float32
        for part, block in _chunks(rows, precision):
            blocks = block.reshape(-1, self.n_channels_)
            blocks = blocks * scale + mean if back else (blocks - mean) / scale
            rescaled[part] = blocks.reshape(block.shape)
        return rescaled


def _chunks(rows: Rows, dtype: torch.dtype) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Finite rows some at a time, as arrays that may be written to."""
    for part in rows.slices():
        block = rows.read(part, dtype=dtype)
        check_finite(block, range(part.start, part.stop))
        yield part, block.numpy()
