"""Orbit stacks as they come, and as scikit-learn wants them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from .._plain import as_numpy, as_plain
from .._sklearn import InvalidParameterError
from ..groups import FiniteGroup, as_group
from ._rows import Rows, is_row_readable

# Lists and integers become float64, so that no integer is rounded.
FLOATS = [np.float64, np.float32]


def validate_rows(estimator: BaseEstimator, X: Any, group: FiniteGroup, *, reset: bool) -> Rows:
    """Check orbit stacks, as far as that can be done without reading them.

    Parameters
    ----------
    estimator : BaseEstimator
        It remembers the columns if `reset`, and compares with them otherwise.
    X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
    group : FiniteGroup
    reset : bool

    Returns
    -------
    rows : Rows
        Values are still to be checked, as they are read.

    Raises
    ------
    ValueError
        If the shape, the number of columns or the group is not what is expected.
    TypeError
        If X is a dataset that is still to be read, or a path.
    """
    check_same_group(X, group)
    X = as_plain(X)
    if not reset:
        _check_not_one_orbit(estimator, X, group)
    if is_row_readable(X):
        check_blocks(X, group)
        rows = Rows(X)
        # scikit-learn's own check would widen a float16 map whole
        validate_data(estimator, rows, reset=reset, skip_check_array=True)
        return rows
    flat = flatten_orbits(X, group)
    options = {"dtype": FLOATS, "ensure_all_finite": False}
    return Rows(validate_data(estimator, flat, reset=reset, **options))


def flatten_orbits(X: Any, group: FiniteGroup | str) -> Any:
    """Lay the blocks of 3-D orbit stacks side by side; leave other input alone.

    scikit-learn counts the columns of 2-D input, so 3-D input is flattened before it is validated.

    Parameters
    ----------
    X : array-like of shape (n_samples, order, n_channels) or (n_samples, n_columns)
        Other input comes back as it is.
    group : FiniteGroup or str

    Returns
    -------
    flat : array-like of shape (n_samples, order * n_channels)

    Raises
    ------
    ValueError
        If the second axis is not the group's, or there are more than three.
    TypeError
        If X is a dataset that is still to be read, or a path.
    """
    if hasattr(X, "as_array") and not hasattr(X, "shape"):
        raise TypeError(
            f"X is an {type(X).__name__}, which reads orbits from images whenever it is asked. "
            "Call as_array() for an array of them, or extract(path) for a store on disk, and pass "
            "that."
        )
    if isinstance(X, str | bytes | os.PathLike):
        raise TypeError(
            f"X is a path, {os.fspath(X)!r}; orbits are read by what is passed in its place: "
            'OrbitStore(path) of a store, np.load(path, mmap_mode="r") of an .npy file.'
        )
    X = as_plain(X)
    if isinstance(X, list | tuple) and np.ndim(X) >= 3:
        X = np.asarray(X)
    if hasattr(X, "ndim") and X.ndim > 3:
        raise ValueError(
            f"X has shape {tuple(X.shape)}; orbit stacks have shape (n_samples, order, "
            "n_channels), or flat (n_samples, order * n_channels). All positions of all images "
            "stand along the first axis, as OrbitDataset.as_array() gives them."
        )
    if not hasattr(X, "ndim") or X.ndim != 3:
        return X
    check_blocks(X, as_group(group))
    return np.asarray(as_numpy(X)).reshape(X.shape[0], X.shape[1] * X.shape[2])


def check_constraints(estimator: BaseEstimator) -> None:
    """Check the parameters of an estimator that need no data, as its `fit` does first of all.

    Raises
    ------
    InvalidParameterError
        A ValueError and a TypeError, as of scikit-learn's own checks.
    """
    estimator._validate_params()


def check_group_parameter(estimator: BaseEstimator) -> None:
    """Check that the parameter `group` is one that `as_group` takes, and say how one is made.

    Raises
    ------
    InvalidParameterError
        A ValueError and a TypeError, as of scikit-learn's own checks.
    """
    try:
        as_group(estimator.group)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(
            f"The 'group' parameter of {type(estimator).__name__}: {error}"
        ) from error


def _check_not_one_orbit(estimator: BaseEstimator, X: Any, group: FiniteGroup) -> None:
    one_orbit = (group.order, estimator.n_channels_)
    if group.order > 1 and getattr(X, "shape", None) == one_orbit:
        raise ValueError(
            f"X has shape {one_orbit}, that of one orbit; orbit stacks have shape (n_samples, "
            "order, n_channels). To pass the first orbit of a stack alone, write orbits[:1] for "
            "orbits[0]."
        )


def check_blocks(X: Any, group: FiniteGroup) -> None:
    """Check that the second axis of orbit stacks, if they are 3-D, is the group's.

    Raises
    ------
    ValueError
    """
    if len(X.shape) == 3 and X.shape[1] != group.order:
        forgotten = " Was group=... forgotten?" if group.order == 1 else ""
        raise ValueError(
            f"X has shape {tuple(X.shape)}: {X.shape[1]} blocks; {group!r} has order "
            f"{group.order}, and orbit stacks have shape (n_samples, order, n_channels).{forgotten}"
        )


def check_same_group(X: Any, group: FiniteGroup) -> None:
    """Compare the group that data say they were made with, in an attribute ``group``.

    A plain array has none: of it only the number of columns can be checked.

    Raises
    ------
    ValueError
        If they disagree.
    """
    made_with = getattr(X, "group", None)
    if isinstance(made_with, FiniteGroup) and made_with != group:
        raise ValueError(
            f"X holds orbits under {made_with!r}; the estimator's group is {group!r}. Blocks are "
            f"in the order of the elements of the group that made them: set group={made_with!r}."
        )


def count_channels(n_columns: int, group: FiniteGroup) -> int:
    """Channels of one block.

    Raises
    ------
    ValueError
        If the columns do not divide into the group's blocks.
    """
    if n_columns % group.order:
        raise ValueError(
            f"X has {n_columns} columns; {group!r} has {group.order} elements, so the number of "
            f"columns must be a multiple of {group.order}: one block of channels an element. "
            "OrbitDataset.as_array() gives such arrays."
        )
    return n_columns // group.order
