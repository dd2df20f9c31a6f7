"""What a run folder says of its stages: what is done, with which settings, from what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from .._files import written_whole
from .._schema import read_json

MANIFEST = "stages.json"

#: A manifest may come from others, with the folder: no name in it leads out of the folder.
Name = Annotated[str, msgspec.Meta(pattern=r"\A([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*\Z")]
_Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]+\Z")]


class Stage(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One stage of a run folder.

    Attributes
    ----------
    done : bool
        Whether all of its files are there. Of a stage that is not, those that are named are.
    settings : dict
        What it was told to do, as JSON can hold it.
    inputs : dict of str to str
        Digests of what it read.
    outputs : dict of str to str
        Its files, relative to the folder, and their digests.
    results : dict
        What is printed of it.
    """

    done: bool
    settings: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[Name, _Digest]
    results: dict[str, Any]


class Manifest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The file's content."""

    format: Literal["groupcross stages/1"] = "groupcross stages/1"
    stages: dict[str, Stage] = {}

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read a folder's manifest; an empty one where there is none.

        Raises
        ------
        ValueError
            If the file is damaged.
        OSError
            If it cannot be read.
        """
        path = folder / MANIFEST
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        try:
            return read_json(content, cls, path)
        except ValueError as error:
            raise ValueError(
                f"{error} Delete it, and what it may say of other files of {folder} is not known "
                "any more."
            ) from error

    def write(self, path: Path) -> None:
        """Write it; it appears whole."""
        with written_whole(path, follow_links=False) as temporary:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))


def digest_of_file(path: Path) -> str:
    """Digest of a file's bytes."""
    state = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while part := file.read(2**20):
            state.update(part)
    return state.hexdigest()


def digest_of(values: Iterable[str]) -> str:
    """Digest of texts in their order; names of files need not be text."""
    state = hashlib.blake2b(digest_size=16)
    for value in values:
        state.update(value.encode(errors="surrogatepass") + b"\0")
    return state.hexdigest()


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say in which settings two stages differ, one text each."""
    return [
        f"--{name.replace('_', '-')} {_change(before.get(name), now.get(name))}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def _change(before: Any, now: Any) -> str:
    was = "was not given" if before is None else f"was {before!r:.80}"
    return f"{was} and is not given now" if now is None else f"{was}, and is {now!r:.80} now"
