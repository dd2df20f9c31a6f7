"""What a store's manifest says, as it lies on disk: declared, bounded and checked."""

from __future__ import annotations

import hashlib
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from .._files import written_whole
from .._schema import Count, RowCount, Whole, read_json
from .._version import __version__

FORMAT = "sklearn_groupcross.OrbitStore"
MANIFEST = "manifest.json"
#: More images than this are written as columns, format version 2, which is read ten times as fast.
#: Releases that know version 1 alone read every smaller store.
MANY_IMAGES = 20_000
# Bytes of a manifest, some twenty million images; reading one takes three times as much memory, and
# of version 1 twenty times.
_LARGEST = 2**31
_WITHOUT = (
    "Without it nothing says what the orbits are: delete the store's folder, and have it written "
    "again."
)
# Of all rows of a store together, in bytes: no file system holds more.
_MOST_BYTES = 2**62


class _Beginning(msgspec.Struct):
    """What every version says."""

    format: Any = None
    format_version: Any = None
    version: Any = None


class _Content(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What manifests of all versions say."""

    format: str = FORMAT
    version: str
    group: dict[str, Any]
    n_channels: Count
    dtype: Literal["float16", "float32"]
    metadata: dict[str, Any]
    chunk_bytes: Annotated[int, msgspec.Meta(ge=1)]
    chunk_starts: Annotated[list[Whole], msgspec.Meta(min_length=1)]
    checksum: str = ""


class ManifestContent(_Content, forbid_unknown_fields=True, kw_only=True):
    """The file's content, version 1; `Manifest` is what is worked with."""

    format_version: int = 1
    images: Annotated[list[tuple[str, str, RowCount]], msgspec.Meta(min_length=1)]


class ImageColumns(msgspec.Struct, forbid_unknown_fields=True):
    """Names, digests and numbers of rows of all images."""

    names: Annotated[list[str], msgspec.Meta(min_length=1)]
    digests: list[str]
    n_rows: list[RowCount]


class ManyImagesContent(_Content, forbid_unknown_fields=True, kw_only=True):
    """The file's content, version 2."""

    format_version: int = 2
    images: ImageColumns


AnyContent: TypeAlias = ManifestContent | ManyImagesContent
_VERSIONS: dict[int, type[AnyContent]] = {1: ManifestContent, 2: ManyImagesContent}


def is_store_folder(path: Path) -> bool:
    """Whether a folder is a store, of whatever version."""
    try:
        return is_manifest((path / MANIFEST).read_bytes())
    except (OSError, ValueError):  # no file, or no name of one
        return False


def is_manifest(content: bytes) -> bool:
    """Whether a file's content is a store's manifest, of whatever version."""
    try:
        return msgspec.json.decode(content, type=_Beginning).format == FORMAT
    except (ValueError, RecursionError):  # no JSON
        return False


def manifest_text(content: AnyContent) -> bytes:
    """A manifest's text, with its checksum."""
    fields = _fields(content)
    fields["checksum"] = _checksum(fields)
    columns = fields["images"]
    if not isinstance(columns, ImageColumns):
        return json.dumps(fields).encode()
    fields.pop("images")
    # numbers beyond 64 bits, which metadata may hold, msgspec does not write
    return b'%s, "images": %s}' % (json.dumps(fields).encode()[:-1], msgspec.json.encode(columns))


def write_manifest(folder: Path, text: bytes) -> None:
    """Write a manifest into a store's folder; it appears whole and survives a power cut.

    Raises
    ------
    OSError
        If the folder is read-only or full.
    """
    with written_whole(folder / MANIFEST, follow_links=False) as temporary:
        temporary.write_bytes(text)


def read_manifest(folder: Path) -> AnyContent:
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


def parse_manifest(text: bytes, path: str | os.PathLike[str]) -> AnyContent:
    """Read a manifest's text; `path` is named in errors.

    Raises
    ------
    ValueError
    """
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise ValueError(f"{path} is damaged: it is not JSON ({error}). {_WITHOUT}") from error
    try:
        beginning = msgspec.json.decode(text, type=_Beginning)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        beginning = _Beginning()
    if beginning.format != FORMAT:
        raise ValueError(
            f"{path} is not the manifest of an orbit store. Choose another folder; or, if this one "
            f"was a store, the file is damaged. {_WITHOUT}"
        )
    version = beginning.format_version
    kind = _VERSIONS.get(version) if isinstance(version, int) else None
    if kind is None:
        raise ValueError(
            f"{path} is of format version {version!r}, written by "
            f"sklearn_groupcross {beginning.version}; sklearn_groupcross {__version__} "
            f"reads version {' and version '.join(map(str, _VERSIONS))}. Install the version that "
            "wrote it, or a later one."
        )
    try:
        content: AnyContent = read_json(text, kind, path)
    except ValueError as error:
        raise ValueError(f"{error} {_WITHOUT}") from error
    fields = _fields(content)
    if fields.pop("checksum") != _checksum(fields):
        raise ValueError(f"{path} is damaged: its content does not have its checksum. {_WITHOUT}")
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


def _problem_of_chunks(content: AnyContent) -> str:
    starts, images = content.chunk_starts, content.images
    if not isinstance(images, ImageColumns):
        n_images = len(images)
    else:
        n_images = len(images.names)
        if not n_images == len(images.digests) == len(images.n_rows):
            return "its images' names, digests and n_rows are not of one number"
    if starts[0] != 0 or any(one >= next_one for one, next_one in pairwise(starts)):
        return "its chunk_starts do not begin with 0 and increase"
    if starts[-1] >= n_images:
        return f"a chunk begins with image {starts[-1]}, and there are {n_images} images"
    return ""


def _fields(content: AnyContent) -> dict[str, Any]:
    return {name: getattr(content, name) for name in content.__struct_fields__}


def _checksum(fields: dict[str, Any]) -> str:
    """Of everything but itself, in whatever order it is written."""
    said = {name: value for name, value in fields.items() if name != "checksum"}
    columns = said.get("images")
    if not isinstance(columns, ImageColumns):
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    said.pop("images")
    state = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    state.update(msgspec.json.encode(columns))
    return state.hexdigest()
