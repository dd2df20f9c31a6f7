"""Parameters of an estimator as JSON, groups among them, and back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..groups import FiniteGroup, as_group, group_from_json, group_to_json

#: Formats of the files that `GroupCrosscoder` writes; the number changes with their content.
MODEL_FORMAT = "sklearn_groupcross.GroupCrosscoder/4"
CHECKPOINT_FORMAT = "sklearn_groupcross.GroupCrosscoder.checkpoint/5"

#: Parameters that change neither the weights nor the codes of a run, and may differ on resuming.
WITHOUT_EFFECT = ("verbose", "sparse_output")
#: Begins the names of arrays that hold the history: JSON has no NaN.
HISTORY = "history_."

# Matters of the machine, not of the model; and `dict_init`, which has done its work, and is as
# large as the model.
_NOT_SAVED = ("device", "parallel", "checkpoint_dir", "dict_init")


def saved_parameters(names: Iterable[str]) -> list[str]:
    """Those of a constructor's parameters that files hold."""
    return [name for name in names if name not in _NOT_SAVED]


def parameters_to_json(parameters: dict[str, Any]) -> dict[str, Any]:
    """Constructor parameters as JSON can hold them: `saved_parameters`.

    Raises
    ------
    ValueError
        If `group` is of a family of one's own, which could not be read.
    """
    return {name: value_to_json(parameters[name]) for name in saved_parameters(parameters)}


def identity_of_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """What of parameters, as JSON can hold them, tells one run from another.

    A group is the same whether it is described or named, or left out for the trivial one, and a
    number whether it is written 1 or 1.0.
    """
    identity = {n: v for n, v in parameters.items() if n not in WITHOUT_EFFECT}
    for name, value in identity.items():
        if isinstance(value, float) and value.is_integer():
            identity[name] = int(value)
    group = identity["group"]
    if not isinstance(group, dict):
        identity["group"] = value_to_json(as_group(group))
    return identity


def history_to_arrays(history: dict[str, list[float]]) -> dict[str, NDArray[np.float64]]:
    """Histories as arrays, which can hold all their numbers."""
    return {HISTORY + name: np.asarray(values, np.float64) for name, values in history.items()}


def parameters_from_json(parameters: dict[str, Any]) -> dict[str, Any]:
    """Constructor parameters from what `parameters_to_json` made."""
    group = parameters["group"]
    is_described = isinstance(group, dict)  # otherwise a name, or None
    return {**parameters, "group": group_from_json(group) if is_described else group}


def value_to_json(value: Any) -> Any:
    """Turn a parameter or a fitted attribute into what JSON can hold."""
    if isinstance(value, FiniteGroup):
        return group_to_json(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return str(value)
    if isinstance(value, np.random.RandomState):
        return None  # its state has moved on since: nothing to come back to
    if isinstance(value, Real) and not isinstance(value, bool | int | float):  # a fraction, say
        return int(value) if isinstance(value, Integral) else float(value)
    return value
