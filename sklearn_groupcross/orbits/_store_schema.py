"""What a store's manifest says, as it lies on disk: declared, bounded and checked."""

from __future__ import annotations

import hashlib
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from .._files import written_whole
from .._schema import Count, RowCount, Whole, read_json
from .._version import __version__

FORMAT, FORMAT_VERSION = "sklearn_groupcross.OrbitStore", 1
MANIFEST = "manifest.json"
# Bytes of a manifest, some ten million images; reading one takes thirty times as much memory.
_LARGEST = 2**30
# Of all rows of a store together, in bytes: no file system holds more.
_MOST_BYTES = 2**62


class _Beginning(msgspec.Struct):
    """What every version says."""

    format: Any = None
    format_version: Any = None
    version: Any = None


class ManifestContent(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The file's content; `Manifest` is what is worked with."""

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    version: str
    group: dict[str, Any]
    n_channels: Count
    dtype: Literal["float16", "float32"]
    metadata: dict[str, Any]
    chunk_bytes: Annotated[int, msgspec.Meta(ge=1)]
    chunk_starts: Annotated[list[Whole], msgspec.Meta(min_length=1)]
    images: Annotated[list[tuple[str, str, RowCount]], msgspec.Meta(min_length=1)]
    checksum: str = ""


def is_store(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is the folder of an `OrbitStore`, of whatever version.

    Parameters
    ----------
    path : path
        Anything: a folder of images may have a file of the manifest's name too.

    Returns
    -------
    is_store : bool
    """
    try:
        content = (Path(path) / MANIFEST).read_bytes()
        return msgspec.json.decode(content, type=_Beginning).format == FORMAT
    except (OSError, ValueError, RecursionError):  # no file, or no JSON
        return False


def write_manifest(folder: Path, content: ManifestContent) -> None:
    """Write a manifest into a store's folder; it appears whole and survives a power cut.

    Raises
    ------
    OSError
        If the folder is read-only or full.
    """
    fields = _fields(content)
    fields["checksum"] = _checksum(fields)
    with written_whole(folder / MANIFEST, follow_links=False) as temporary:
        temporary.write_text(json.dumps(fields), encoding="utf-8")


def read_manifest(folder: Path) -> ManifestContent:
    """Read the manifest of a store's folder.

    Raises
    ------
    FileNotFoundError
        If the folder is no store.
    ValueError
        If the manifest is damaged, says what makes no sense, or is of another format.
    OSError
        If it cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"No orbit store at {folder}: there is no file {path}.")
    if (size := path.stat().st_size) > _LARGEST:
        raise ValueError(f"{path} is damaged: it has {size} bytes; at most {_LARGEST} are read.")
    return parse_manifest(path.read_bytes(), path)


def parse_manifest(text: bytes, path: Path) -> ManifestContent:
    """Read a manifest's text; `path` is named in errors.

    Raises
    ------
    ValueError
    """
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise ValueError(f"{path} is damaged: it is not JSON ({error}).") from error
    try:
        beginning = msgspec.json.decode(text, type=_Beginning)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        beginning = _Beginning()
    if beginning.format != FORMAT:
        raise ValueError(f"{path} is not the manifest of an orbit store.")
    if beginning.format_version != FORMAT_VERSION:
        raise ValueError(
            f"{path} is of format version {beginning.format_version!r}, written by "
            f"sklearn_groupcross {beginning.version}; sklearn_groupcross {__version__} "
            f"reads version {FORMAT_VERSION}. Install the version that wrote it, or a later "
            "one."
        )
    content = read_json(text, ManifestContent, path)
    fields = _fields(content)
    if fields.pop("checksum") != _checksum(fields):
        raise ValueError(f"{path} is damaged: its content does not have its checksum.")
    if problem := _problem_of_chunks(content) or problem_of_layers(
        content.metadata, content.n_channels
    ):
        raise ValueError(f"{path} makes no sense: {problem}.")
    return content


def check_size(n_rows: int, row_bytes: int) -> None:
    """Refuse what no file system holds, before numbers of bytes are reckoned with.

    Raises
    ------
    ValueError
    """
    if n_rows * row_bytes > _MOST_BYTES:
        raise ValueError(f"{n_rows} rows of {row_bytes} bytes each are more than any disk holds.")


def problem_of_layers(metadata: dict[str, Any], n_channels: int) -> str:
    """Say what is wrong with the channel ranges of layers, if the metadata name any."""
    layers = metadata.get("layers", {})
    if not isinstance(layers, dict):
        return "metadata['layers'] maps the name of a layer to [first, stop] channels"
    for name, span in layers.items():
        is_pair = isinstance(span, list) and [type(end) for end in span] == [int, int]
        if not is_pair or not 0 <= span[0] < span[1] <= n_channels:
            return (
                f"metadata['layers'][{name!r}] is {span!r}; expected [first, stop] within "
                f"{n_channels} channels"
            )
    return ""


def _problem_of_chunks(content: ManifestContent) -> str:
    starts = content.chunk_starts
    if starts[0] != 0 or any(one >= next_one for one, next_one in pairwise(starts)):
        return "its chunk_starts do not begin with 0 and increase"
    if starts[-1] >= len(content.images):
        return f"a chunk begins with image {starts[-1]}, and there are {len(content.images)} images"
    return ""


def _fields(content: ManifestContent) -> dict[str, Any]:
    return {name: getattr(content, name) for name in content.__struct_fields__}


def _checksum(fields: dict[str, Any]) -> str:
    """Of everything but itself, in whatever order it is written."""
    said = {name: value for name, value in fields.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
