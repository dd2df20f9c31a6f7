"""Arrays and JSON in one safetensors file that is whole, and known to be so. No pickle."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .._files import written_whole
from .._version import __version__


def write_tensors(
    path: str | os.PathLike[str],
    file_format: str,
    arrays: dict[str, NDArray[Any]],
    header: dict[str, Any],
) -> None:
    """Write arrays and what JSON can hold; the file appears when it is complete.

    Raises
    ------
    OSError
        If the folder is missing, read-only or full.
    """
    contiguous = {name: np.require(array, requirements="C") for name, array in arrays.items()}
    metadata = {
        "format": file_format,
        "version": __version__,
        "header": json.dumps(header, sort_keys=True),
        "checksums": json.dumps({name: _checksum(array) for name, array in contiguous.items()}),
    }
    with written_whole(path) as temporary:
        try:
            save_file(contiguous, temporary, metadata)
        except SafetensorError as error:  # it wraps what the operating system says
            raise OSError(f"{path} could not be written: {error}.") from error


def read_tensors(
    path: str | os.PathLike[str], *formats: str
) -> tuple[str, dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    Returns
    -------
    file_format : str
        Which of the formats it is.
    arrays : dict of str to ndarray
    header : dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or in another format.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"No saved crosscoder at {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no dict)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or not a safetensors file: {error}.") from error
    if metadata.get("format") not in formats:
        raise ValueError(
            f"{path} is not a crosscoder saved by this version of the package: its format is "
            f"{metadata.get('format')!r}, expected {' or '.join(map(repr, formats))}."
        )
    checksums = json.loads(metadata["checksums"])
    wrong = [name for name, array in arrays.items() if checksums.get(name) != _checksum(array)]
    if wrong or len(checksums) != len(arrays):
        raise ValueError(
            f"{path} is damaged: {', '.join(wrong) or 'some array'} is not what was written."
        )
    return metadata["format"], arrays, json.loads(metadata["header"])


def _checksum(array: NDArray[Any]) -> int:
    return zlib.crc32(array.reshape(-1).view(np.uint8).data)
