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
    path: str | os.PathLike[str], arrays: dict[str, np.ndarray], header: dict[str, Any]
) -> None:
    """Write arrays and a JSON-able header; the file appears when it is complete."""
    metadata = {
        "format": _FORMAT,
        "version": __version__,
        "header": json.dumps(header, sort_keys=True),
    }
    contiguous = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
    with written_whole(path) as temporary:
        save_file(contiguous, temporary, metadata)


def read_model(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write_model` wrote.

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
    return arrays, json.loads(metadata["header"])


def group_to_json(group: FiniteGroup) -> dict[str, Any]:
    """Describe a group by the name of its family and the arguments that build it."""
    family, arguments = group.__reduce__()
    return {"family": family.__name__, "arguments": list(arguments)}


def group_from_json(description: dict[str, Any]) -> FiniteGroup:
    """Build the group again.

    Raises
    ------
    ValueError
        If the family is unknown to this version.
    """
    family = getattr(groups, description["family"], None)
    if not (isinstance(family, type) and issubclass(family, FiniteGroup)):
        raise ValueError(f"Unknown family of groups: {description['family']!r}.")
    return family(*description["arguments"])
