"""Parameters of an estimator as JSON, groups among them, and back."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..groups import FiniteGroup, group_from_json, group_to_json

#: Formats of the files that `GroupCrosscoder` writes; the number changes with their content.
MODEL_FORMAT = "sklearn_groupcross.GroupCrosscoder/2"
CHECKPOINT_FORMAT = "sklearn_groupcross.GroupCrosscoder.checkpoint/3"

# Matters of the machine, not of the model.
_OF_THE_MACHINE = ("device", "checkpoint_dir")


def parameters_to_json(parameters: dict[str, Any]) -> dict[str, Any]:
    """Constructor parameters as JSON can hold them, without those of the machine.

    `dict_init` is left out as well: it has done its work, and is as large as the model.
    """
    return {
        name: value_to_json(value)
        for name, value in parameters.items()
        if name not in (*_OF_THE_MACHINE, "dict_init")
    }


def parameters_from_json(parameters: dict[str, Any]) -> dict[str, Any]:
    """Constructor parameters from what `parameters_to_json` made."""
    group = parameters["group"]
    return {**parameters, "group": None if group is None else group_from_json(group)}


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
    return value
