"""A dictionary as it is given: a fitted crosscoder, or atoms with their group."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from .._ambient import warn_caller
from .._plain import as_numpy
from .._stacks._codes import are_codes, look_like_codes
from .._stacks._validation import count_channels
from ..crosscoder import GroupCrosscoder, flatten_orbits
from ..groups import FiniteGroup, as_group

_FLOATS = [np.float32, np.float64]


def resolve_atoms(
    dictionary: Any, group: FiniteGroup | str | None, name: str
) -> tuple[NDArray[np.floating], FiniteGroup]:
    """Take a fitted crosscoder, or atoms with their group.

    Parameters
    ----------
    dictionary : GroupCrosscoder or array-like of shape (m, order * d) or (m, order, d)
    group : FiniteGroup, str or None
        Needed for atoms; a crosscoder brings its own.
    name : str
        For messages.

    Returns
    -------
    components : ndarray of shape (m, order * d)
        Finite, float32 or float64.
    group : FiniteGroup

    Raises
    ------
    ValueError
        If these are codes, or atoms that come without a group or do not fit it, or the group is not
        the crosscoder's.
    TypeError
        If it is a pipeline, a search, another estimator, a path or anything else that is neither;
        or the group is none.
    NotFittedError

    Warns
    -----
    UserWarning
        If these look like codes, by their shape, signs and zeros.
    """
    group = None if group is None else as_group(group)
    if isinstance(dictionary, GroupCrosscoder):
        check_is_fitted(dictionary)
        if group is not None and group != dictionary.group_:
            raise ValueError(
                f"{name} has atoms over {dictionary.group_!r}; the group asked for is {group!r}. "
                "A dictionary over another, such as a sparse autoencoder's, is first lifted: see "
                "lift_dictionary."
            )
        components = check_array(dictionary.components_, dtype=_FLOATS, input_name="components_")
        return components, dictionary.group_
    if are_codes(dictionary):
        raise ValueError(
            f"{name} are codes, what a GroupCrosscoder makes of samples; symmetries are read off "
            "its atoms. Fit the crosscoder first, alone or as the last step of a pipeline, and "
            "pass it: SymmetryAnalyzer().fit(crosscoder), or fit(pipeline[-1])."
        )
    _check_are_atoms(dictionary, name)
    if group is None:
        raise ValueError(f"{name} are atoms, which alone do not name their group: give group=.")
    flat = flatten_orbits(as_numpy(dictionary, name), group)
    components = check_array(flat, dtype=_FLOATS, input_name=name)
    count_channels(components.shape[1], group)
    if look_like_codes(components):
        warn_caller(
            f"{name} has {len(components)} rows of {components.shape[1]} columns, none of them "
            "negative and most of them zero: it looks like codes of samples, not like atoms. If it "
            "is, pass the crosscoder instead: SymmetryAnalyzer().fit(crosscoder).",
            UserWarning,
        )
    return components, group


def _check_are_atoms(dictionary: Any, name: str) -> None:
    """Refuse what holds no numbers, and say where the atoms are that were meant."""
    kind = type(dictionary).__name__
    if isinstance(dictionary, Pipeline):
        raise TypeError(
            f"{name} is a {kind}; the atoms are in its last step: pass pipeline[-1]. Behind a "
            "scaler they are in scaled units, which matters where it has one factor a channel."
        )
    is_search = isinstance(dictionary, GridSearchCV | RandomizedSearchCV)
    if is_search or hasattr(dictionary, "best_estimator_"):  # also another library's
        raise TypeError(
            f"{name} is a {kind}; the atoms are in the crosscoder that it chooses: pass its "
            "best_estimator_, or best_estimator_[-1] if that is a Pipeline."
        )
    if isinstance(dictionary, BaseEstimator):
        raise TypeError(
            f"{name} is of type {kind}; symmetries are read off the atoms of a fitted "
            "GroupCrosscoder. Those of another model of orbit stacks are passed as an array, its "
            "components_ where it has them, with group=."
        )
    if isinstance(dictionary, str | bytes | os.PathLike):
        raise TypeError(
            f"{name} is a path, of type {kind}; files are not opened here: pass "
            "GroupCrosscoder.load(path), or the atoms that the file holds with group=."
        )
    holds_numbers = hasattr(dictionary, "shape") or hasattr(dictionary, "__array__")
    if not (holds_numbers or isinstance(dictionary, list | tuple)):
        raise TypeError(
            f"{name} is of type {kind}; pass a fitted GroupCrosscoder, or atoms as an array of "
            "shape (m, order * n_channels) with group=."
        )
