"""JSON from outside: read into declared types, or refused with the name of its file."""

from __future__ import annotations

import os
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

_T = TypeVar("_T")

# Numbers from outside: bounded by more than anything has, so that torch can count with them.
Whole = Annotated[int, Meta(ge=0, le=2**62)]
Count = Annotated[int, Meta(ge=1, le=2**31)]
RowCount = Annotated[int, Meta(ge=1, le=2**40)]
NonNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


def read_json(content: bytes | str, kind: type[_T], source: str | os.PathLike[str]) -> _T:
    """Decode JSON into a declared type, strictly: no other types, no missing names.

    Parameters
    ----------
    content : bytes or str
    kind : type
        For example a `msgspec.Struct` with ``forbid_unknown_fields=True`` and fields bounded by
        ``Annotated[int, msgspec.Meta(ge=0)]``.
    source : str or path
        The file, for messages.

    Raises
    ------
    ValueError
        If the content is no JSON, nested too deeply, or of another type; it names `source`, and
        where in it.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{source} is damaged or something else: {error}.") from error
    except (RecursionError, UnicodeError) as error:
        raise ValueError(f"{source} is damaged or something else: {error}.") from error


def check_json(content: Any, kind: type[_T]) -> _T:
    """Take what was read as plain JSON for a declared type, as strictly as `read_json`.

    Raises
    ------
    ValueError
        If it is of another type; the message says where.
    """
    try:
        return msgspec.convert(content, kind, strict=True)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{error}.") from error
