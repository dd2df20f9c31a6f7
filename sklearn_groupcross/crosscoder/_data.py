"""The data that an estimator learns from: their columns, and whether anything can be learned."""

from __future__ import annotations

from numpy.typing import ArrayLike

from .._ambient import warn_caller
from .._device import resolve_device
from .._stacks._rows import Rows
from .._stacks._validation import count_channels, validate_rows
from ..groups import as_group, with_names
from ._attributes import CrosscoderAttributes
from ._continuation import check_same_group
from ._resolution import count_atoms, resolve_k
from ._summary import DataSummary, summarize

# Typical values of X between which training in float32 neither overflows nor loses digits.
_SMALLEST_SIZE, _LARGEST_SIZE = 1e-30, 1e30


def prepare_data(
    crosscoder: CrosscoderAttributes, X: ArrayLike, *, reset: bool
) -> tuple[Rows, DataSummary]:
    """Check the data to learn from, and what can be decided once they are known.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        If `reset`, it remembers group and columns; otherwise they are compared.
    X : array-like
    reset : bool

    Raises
    ------
    ValueError
    """
    if reset:
        # what the data know of their action decides the words, unless the parameter does
        group = with_names(as_group(crosscoder.group), getattr(X, "group", None))
        if crosscoder.warm_start:
            check_same_group(crosscoder, group)
        crosscoder.group_ = group
    rows = validate_rows(crosscoder, X, crosscoder.group_, reset=reset)
    if reset:
        crosscoder.n_channels_ = count_channels(rows.shape[1], crosscoder.group_)
    resolve_k(crosscoder, count_atoms(crosscoder))
    resolve_device(crosscoder.device)
    summary = summarize(rows, with_digest=crosscoder.checkpoint_dir is not None)
    check_learnable(rows, summary)
    return rows, summary


def check_learnable(rows: Rows, summary: DataSummary) -> None:
    """Check that values are of a size and at a distance from zero that training can bear.

    Raises
    ------
    ValueError

    Warns
    -----
    UserWarning
        If all samples are equal.
    """
    size = ((summary.variance + summary.mean @ summary.mean) / rows.shape[1]) ** 0.5
    if size > 0 and not _SMALLEST_SIZE < size < _LARGEST_SIZE:
        raise ValueError(
            f"Values of X are of the size of {size:.0e}; training computes in float32, for which "
            f"they must lie between {_SMALLEST_SIZE:g} and {_LARGEST_SIZE:g}. Multiply X by one "
            "number."
        )
    if summary.distance * rows.resolution > 1:
        raise ValueError(
            f"X lies {summary.distance:.0e} times its spread from zero, where numbers of its type "
            "are farther apart than its samples. Subtract a number a column, or the mean, in "
            "float64, before X is made what it is."
        )
    if summary.variance == 0 and len(rows) > 1:
        warn_caller(
            f"All {len(rows)} samples of X are equal: only the intercept is learned. (What is less "
            "than 1e-10 of the mean counts as rounding.)",
            UserWarning,
        )
