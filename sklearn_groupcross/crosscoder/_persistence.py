"""A fitted crosscoder in one safetensors file: arrays, and JSON in its header. No pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .. import groups
from .._files import written_whole
from .._version import __version__
from ..groups import FiniteGroup

_FORMAT = "sklearn_groupcross.GroupCrosscoder/1"


def write_model(
    path: str | os.PathLike[str], parameters: dict[str, Any], fitted: dict[str, Any]
) -> None:
    """Write an estimator; the file appears when it is complete.

    Parameters
    ----------
    path : path
    parameters : dict
        Constructor parameters of the estimator.
    fitted : dict
        Fitted attributes: arrays, and values that JSON can hold.
    """
    arrays = {
        name: np.ascontiguousarray(value)
        for name, value in fitted.items()
        if isinstance(value, np.ndarray) and value.dtype != object
    }
    header = {
        "parameters": {
            name: _to_json(value)
            for name, value in parameters.items()
            if name != "device"  # a matter of the machine, not of the model
        },
        "fitted": {name: _to_json(v) for name, v in fitted.items() if name not in arrays},
    }
    metadata = {
        "format": _FORMAT,
        "version": __version__,
        "header": json.dumps(header, sort_keys=True),
    }
    with written_whole(path) as temporary:
        save_file(arrays, temporary, metadata)


def read_model(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what `write_model` wrote.

    Returns
    -------
    parameters : dict
    fitted : dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or something else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"No saved crosscoder at {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no dict)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or not a safetensors file: {error}.") from error
    if metadata.get("format") != _FORMAT:
        raise ValueError(
            f"{path} is not a crosscoder saved by this package: its format is "
            f"{metadata.get('format')!r}, expected {_FORMAT!r}."
        )
    header = json.loads(metadata["header"])
    parameters = header["parameters"]
    if parameters["group"] is not None:
        parameters["group"] = _group_from_json(parameters["group"])
    fitted = {**header["fitted"], **arrays}
    if "feature_names_in_" in fitted:
        fitted["feature_names_in_"] = np.array(fitted["feature_names_in_"], dtype=object)
    return parameters, fitted


def _to_json(value: Any) -> Any:
    """Turn a parameter into what JSON can hold."""
    if isinstance(value, FiniteGroup):
        family, arguments = value.__reduce__()
        return {"family": family.__name__, "arguments": [_to_json(a) for a in arguments]}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return str(value)
    if isinstance(value, np.random.RandomState):
        return None  # its state has moved on since: nothing to come back to
    return value


def _group_from_json(description: dict[str, Any]) -> FiniteGroup:
    family = getattr(groups, description["family"], None)
    if not (isinstance(family, type) and issubclass(family, FiniteGroup)):
        raise ValueError(f"Unknown family of groups: {description['family']!r}.")
    arguments: list[Any] = [
        # factors of a product are groups themselves
        _group_from_json(argument) if isinstance(argument, dict) else argument
        for argument in description["arguments"]
    ]
    return family(*arguments)
