"""A dictionary as it is given: a fitted crosscoder, or atoms with their group."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from .._plain import as_numpy
from ..crosscoder import GroupCrosscoder, flatten_orbits
from ..crosscoder._validation import count_channels
from ..groups import FiniteGroup

_FLOATS = [np.float32, np.float64]


def resolve_atoms(
    dictionary: Any, group: FiniteGroup | None, name: str
) -> tuple[NDArray[np.floating], FiniteGroup]:
    """Take a fitted crosscoder, or atoms with their group.

    Parameters
    ----------
    dictionary : GroupCrosscoder or array-like of shape (m, order * d) or (m, order, d)
    group : FiniteGroup or None
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
        If atoms come without a group or do not fit it, or the group is not the crosscoder's.
    TypeError
        If it is a pipeline.
    NotFittedError
    """
    if isinstance(dictionary, Pipeline):
        raise TypeError(
            f"{name} is a Pipeline; the atoms are in its last step: pass pipeline[-1]. Behind a "
            "scaler they are in scaled units, which matters where it has one factor a channel."
        )
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
    if group is None:
        raise ValueError(f"{name} are atoms, which alone do not name their group: give group=.")
    flat = flatten_orbits(as_numpy(dictionary, name), group)
    components = check_array(flat, dtype=_FLOATS, input_name=name)
    count_channels(components.shape[1], group)
    return components, group
