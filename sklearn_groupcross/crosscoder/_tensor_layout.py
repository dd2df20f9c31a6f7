"""Where the arrays of a safetensors file lie: read, and bounded by the size of the file."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Annotated, BinaryIO, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from .._schema import Whole, read_json

_DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
}
# Bytes of a header: groups without a family are written as tables of up to a million numbers.
_LARGEST_HEADER = 64 * 2**20
# Bytes that an array would have if none of its axes were empty; numpy refuses larger shapes.
_LARGEST_SHAPE = 2**50


class _Entry(Struct, forbid_unknown_fields=True):
    dtype: Literal["BOOL", "F16", "F32", "F64", "I32", "I64"]
    shape: Annotated[list[Whole], Meta(max_length=8)]
    data_offsets: tuple[Whole, Whole]


@dataclass(frozen=True)
class ArrayEntry:
    """One array.

    Attributes
    ----------
    n_bytes : int
        What it takes in the file; the arrays follow one another without gaps.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    n_bytes: int


@dataclass(frozen=True)
class Layout:
    """What stands before the arrays.

    Attributes
    ----------
    head : bytes
        All of it, as it stands in the file.
    metadata : dict of str to str
    entries : list of ArrayEntry
        In the order of the file.
    """

    head: bytes
    metadata: dict[str, str]
    entries: list[ArrayEntry]


def read_layout(file: BinaryIO, source: str | os.PathLike[str]) -> Layout:
    """Read what stands before the arrays, and see that they fill the rest of the file exactly.

    Raises
    ------
    ValueError
        If they do not, or the file is none of safetensors; the message names `source`.
    """
    size = os.fstat(file.fileno()).st_size
    length = file.read(8)
    n_bytes = int.from_bytes(length, "little")
    if len(length) < 8 or n_bytes > min(size - 8, _LARGEST_HEADER):
        raise ValueError(
            f"{source} is damaged or not a safetensors file: it has no header of the length that "
            "it states."
        )
    header = file.read(n_bytes)
    raw = read_json(header, dict[str, msgspec.Raw], source)
    metadata = read_json(raw.pop("__metadata__", b"{}"), dict[str, str], source)
    stated = {name: read_json(entry, _Entry, source) for name, entry in raw.items()}
    entries: list[ArrayEntry] = []
    end = 0
    for name, entry in sorted(stated.items(), key=lambda item: item[1].data_offsets):
        begin, stop = entry.data_offsets
        dtype, shape = _DTYPES[entry.dtype], tuple(entry.shape)
        full = math.prod(max(n, 1) for n in shape) * dtype.itemsize
        if (
            begin != end
            or stop - begin != math.prod(shape) * dtype.itemsize
            or full > _LARGEST_SHAPE
        ):
            raise ValueError(f"{source} is damaged: the array {name!r} has no place of its size.")
        entries.append(ArrayEntry(name, dtype, shape, stop - begin))
        end = stop
    if 8 + n_bytes + end != size:
        raise ValueError(
            f"{source} is damaged: it has {size} bytes in place of {8 + n_bytes + end}."
        )
    return Layout(length + header, metadata, entries)
