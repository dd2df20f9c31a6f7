"""A dictionary as it is given: a fitted crosscoder, or atoms with their group."""

from __future__ import annotations

import os
from collections.abc import Mapping
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
from ..groups import FiniteGroup, as_group, with_names

_FLOATS = [np.float32, np.float64]


def resolve_atoms(
    dictionary: Any, group: FiniteGroup | str | None, name: str
) -> tuple[NDArray[np.floating], FiniteGroup]:
    """Take a fitted crosscoder, or atoms with their group.

    Parameters
    ----------
    dictionary : GroupCrosscoder or array-like of shape (m, order * d) or (m, order, d)
    group : FiniteGroup, str or None
        Needed for atoms; a crosscoder brings its own, to which it may give names.
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
        fitted = dictionary.group_
        return components, fitted if group is None else with_names(group, fitted)
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


def check_is_no_orbits(y: Any) -> None:
    """Refuse orbits where scikit-learn passes labels, which nothing here looks at.

    Raises
    ------
    ValueError
        If `y` has more dimensions than labels have.
    """
    shape = getattr(y, "shape", None)
    if shape is None and isinstance(y, list | tuple):
        shape = np.shape(y)
    is_dataset = hasattr(y, "as_array") or hasattr(y, "image_ids")
    if is_dataset or (shape is not None and len(shape) > 1 and shape[1] != 1):
        of_shape = "" if shape is None else f" of shape {tuple(shape)}"
        raise ValueError(
            f"The second argument of fit is y, which is not looked at; got a {type(y).__name__}"
            f"{of_shape}. Orbits are passed by name: fit(crosscoder, orbits=...), other "
            "dictionaries as others=[...]."
        )


def _check_are_atoms(dictionary: Any, name: str) -> None:
    """Refuse what holds no numbers, and say where the atoms are that were meant."""
    kind = type(dictionary).__name__
    parts = dictionary.values() if isinstance(dictionary, Mapping) else dictionary
    if isinstance(dictionary, list | tuple | Mapping) and any(
        isinstance(part, BaseEstimator) for part in parts
    ):
        raise TypeError(
            f"{name} is a {kind} of {len(dictionary)} models; the atoms of one are taken. To have "
            "its features looked up in the others, pass SymmetryAnalyzer().fit(first, "
            "others=[second, ...]); dictionaries are compared by match_dictionaries(first, "
            "second), stability([...]) and consensus_dictionary([...])."
        )
    if hasattr(dictionary, "image_ids") or hasattr(dictionary, "as_array"):
        raise TypeError(
            f"{name} is of type {kind}, which holds orbits of inputs; symmetries are read off the "
            "atoms of a dictionary that was learned from them: crosscoder = GroupCrosscoder(group)"
            ".fit(store), then fit(crosscoder, orbits=store)."
        )
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
