"""Arrays and JSON in one safetensors file that is whole, and known to be so. No pickle."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from .._files import written_whole
from .._schema import read_json
from .._version import __version__
from ._tensor_layout import ArrayEntry, Layout, read_layout

# The digest is of the whole file, with zeros where it stands itself.
_DIGEST_SIZE = 32
_NO_DIGEST = "0" * 2 * _DIGEST_SIZE
# Quotation marks within strings are escaped: this is found in no string.
_PLACE_OF_DIGEST = re.compile(rb'(?<=[{,]"checksums":")[0-9a-f]{%d}(?=")' % len(_NO_DIGEST))
_READ_AT_ONCE = 4 * 2**20


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
        "checksums": _NO_DIGEST,
    }
    with written_whole(path) as temporary:
        try:
            save_file(contiguous, temporary, metadata)
        except SafetensorError as error:  # it wraps what the operating system says
            if number := re.search(r"\(os error (\d+)\)", str(error)):
                raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
            raise OSError(f"{path} could not be written: {error}.") from error
        _sign(temporary)


def read_tensors(
    path: str | os.PathLike[str], *formats: str
) -> tuple[str, dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    No more memory is taken than the file is large, whatever it says of itself.

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
        If a single bit of the file is not what was written, or it is in another format.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"No saved crosscoder at {path}.")
    # opened once: a file that is replaced meanwhile is read as it was
    with open(path, "rb") as file:
        layout = read_layout(file, path)
        file_format = layout.metadata.get("format")
        if file_format not in formats:
            raise ValueError(
                f"{path} is not a crosscoder saved by this version of the package: its format is "
                f"{str(file_format)[:80]!r}, expected {' or '.join(map(repr, formats))}."
            )
        arrays, is_intact = _read_arrays(file, layout)
    if not is_intact or set(layout.metadata) != {"format", "version", "header", "checksums"}:
        raise ValueError(f"{path} is damaged: its content is not what was written.")
    return file_format, arrays, read_json(layout.metadata["header"], dict[str, Any], path)


def _read_arrays(file: BinaryIO, layout: Layout) -> tuple[dict[str, NDArray[Any]], bool]:
    """Read all arrays, and say whether they and the header have the digest of the file."""
    places = list(_PLACE_OF_DIGEST.finditer(layout.head))
    digest = hashlib.blake2b(digest_size=_DIGEST_SIZE)
    digest.update(_PLACE_OF_DIGEST.sub(_NO_DIGEST.encode(), layout.head))
    arrays = {entry.name: _read_array(file, entry, digest) for entry in layout.entries}
    stated = [place.group().decode() for place in places]
    are_bits = all(
        array.size == 0 or array.view(np.uint8).max() <= 1
        for array in arrays.values()
        if array.dtype == np.bool_
    )
    return arrays, stated == [digest.hexdigest()] and are_bits


def _read_array(file: BinaryIO, entry: ArrayEntry, digest: hashlib.blake2b) -> NDArray[Any]:
    array = np.empty(entry.shape, entry.dtype)
    if array.size:
        view = array.reshape(-1).view(np.uint8).data
        file.readinto(view)  # type: ignore[attr-defined]
        digest.update(view)
    return array


def _sign(file: Path) -> None:
    """Put metadata in order, so that equal content is equal bytes; then the digest in its place."""
    with open(file, "r+b") as opened:
        length = opened.read(8)
        header = opened.read(int.from_bytes(length, "little"))
        entries = json.loads(header)
        entries["__metadata__"] = dict(sorted(entries["__metadata__"].items()))
        ordered = json.dumps(entries, separators=(",", ":")).encode().ljust(len(header))
        if len(ordered) == len(header):  # other letters than ASCII may be written otherwise
            header = ordered
        place = _PLACE_OF_DIGEST.search(header)
        assert place is not None
        digest = hashlib.blake2b(length + header, digest_size=_DIGEST_SIZE)
        while part := opened.read(_READ_AT_ONCE):
            digest.update(part)
        opened.seek(8)
        opened.write(header[: place.start()] + digest.hexdigest().encode() + header[place.end() :])
