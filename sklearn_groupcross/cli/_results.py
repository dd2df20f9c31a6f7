"""Results of a command: they replace those before in one step, or not at all.

They are written under hidden names beside their places. Once all of them are on the disk, a record
says so; it appears in one step, and with it the new results count. Then they move into place. A
command that is killed before the record leaves the old results and hidden files, which the next
command removes; one that is killed after it leaves moves, which the next command makes.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from .._files import folder_to_disk, remove_all_remains, written_whole
from .._schema import read_json

RECORD = ".groupcross.results"
# Files rather than a folder of them: they are moved one by one, and need not be emptied of others'.
_STAGED = ".groupcross.staged-"

# A record may come from others, with the folder: no name in it leads out of the folder.
_Name = Annotated[str, msgspec.Meta(pattern=r"\A([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*\Z")]
_Token = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]+\Z")]


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    """A set of results that is whole.

    Attributes
    ----------
    command : str
        Digest of the command that made them.
    token : str
        Part of the names that they were written under.
    files : list of str
        Their places, relative to the output folder.
    outdated : list of str
        Results of commands before that have no successor.
    moved : bool
        Whether all of them are in place.
    """

    format: Literal["groupcross results/1"]
    command: str
    token: _Token
    files: list[_Name]
    outdated: list[_Name]
    moved: bool


class Results:
    """Results on their way into a folder that this command alone writes to.

    Made, it finishes what a command that was killed had begun, and removes what that left behind.

    Parameters
    ----------
    folder : Path
        Where results belong.
    command : str
        Digest of the command. The same command, killed after its results were whole, may go on:
        it replaces them without being told to.

    Attributes
    ----------
    goes_on : bool
        Whether the results in the folder are those of the same command, which was killed before
        its end.

    Raises
    ------
    OSError
        If something cannot be moved or removed.
    ValueError
        If the record of a command before is damaged.
    """

    def __init__(self, folder: Path, command: str) -> None:
        self.folder, self._command = folder, command
        self._token, self._names = secrets.token_hex(4), set[str]()
        record = _read_record(folder)
        if record is not None and not record.moved:
            _move_into_place(folder, record)
        self.goes_on = record is not None and record.command == command
        if not self.goes_on:
            self.close()
        for remains in folder.glob(f"{_STAGED}*"):
            if remains.is_symlink() or not remains.is_dir():  # a folder is none of ours
                remains.unlink()
        remove_all_remains(folder)

    def place(self, name: str) -> Path:
        """Where to write the result of a name, such as ``figures/map.png``."""
        self._names.add(name)
        return self._staged(name)

    def name_place(self, error: OSError) -> None:
        """Let an error name the place of a result, not the path that it was written to."""
        for name in self._names:
            if error.filename is not None and str(error.filename) == str(self._staged(name)):
                error.filename = str(self.folder / name)

    def publish(self, replaced: Iterable[str] = ()) -> None:
        """Let the results that were written replace those in the folder.

        Until `close` the command counts as not ended: killed, it may go on.

        Parameters
        ----------
        replaced : iterable of str
            Names of results of commands before; those without a successor go.

        Raises
        ------
        OSError
            If the disk is full or the folder has vanished. The results before are there still,
            or the next command finishes this one's moves.
        """
        written = {name for name in self._names if self._staged(name).exists()}
        for name in written:
            with open(self._staged(name), "r+b") as file:
                os.fsync(file.fileno())
        folder_to_disk(self.folder)
        record = _Record(
            format="groupcross results/1",
            command=self._command,
            token=self._token,
            files=sorted(written),
            outdated=sorted(set(replaced) - written),
            moved=False,
        )
        _write_record(self.folder, record)
        _move_into_place(self.folder, record)

    def close(self) -> None:
        """End the command, whose results are in place."""
        (self.folder / RECORD).unlink(missing_ok=True)
        folder_to_disk(self.folder)

    def abandon(self) -> None:
        """Remove what was written, unless it was published: then the next command goes on."""
        record = _read_record(self.folder)
        if record is None or record.token != self._token:
            for name in self._names:
                self._staged(name).unlink(missing_ok=True)

    def _staged(self, name: str) -> Path:
        return _staged(self.folder, self._token, name)


def _staged(folder: Path, token: str, name: str) -> Path:
    return folder / f"{_STAGED}{token}-{name.replace('/', '+')}"


def _read_record(folder: Path) -> _Record | None:
    path = folder / RECORD
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return read_json(content, _Record, path)
    except ValueError as error:
        raise ValueError(
            f"{error} It belongs to a command that was killed. Delete it to start again; results "
            f"that were complete may lie beside it in files {_STAGED}*."
        ) from error


def _write_record(folder: Path, record: _Record) -> None:
    # a link in its place is not ours, and may lead to anybody's file
    with written_whole(folder / RECORD, follow_links=False) as temporary:
        temporary.write_bytes(msgspec.json.encode(record))


def _move_into_place(folder: Path, record: _Record) -> None:
    """Make the moves that are left of a record's, as often as its command is killed."""
    for name in record.files:
        source = _staged(folder, record.token, name)
        if source.exists():
            (folder / name).parent.mkdir(exist_ok=True)
            _move(source, folder / name)
    for name in record.outdated:
        (folder / name).unlink(missing_ok=True)
    for parent in {(folder / name).parent for name in (*record.files, *record.outdated)}:
        if parent.is_dir():
            folder_to_disk(parent)
    # what is outdated now may be somebody's file tomorrow
    _write_record(folder, msgspec.structs.replace(record, moved=True))


def _move(source: Path, target: Path) -> None:
    if not target.is_symlink():
        try:
            os.replace(source, target)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
    # what a link names may lie on another disk; the link stays
    with written_whole(target) as temporary:
        shutil.copyfile(source, temporary)
    source.unlink()
