"""Results of a command: they replace those before in one step, or not at all.

They are written under hidden names beside their places, or in a folder of their own (`NEXT`). Once
all of them are on the disk, a record says so; it appears in one step, and with it the new results
count. Then they move into place. A command that is killed before the record leaves the old results
and hidden files, which the next command removes; one that is killed after it leaves moves, which
the next command makes.
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
from ._manifest import Name

RECORD = ".groupcross.results"
#: Where a whole run is written that is to replace another.
NEXT = ".groupcross.next"
# Files rather than a folder of them: they are moved one by one, and need not be emptied of others'.
_STAGED = ".groupcross.staged-"
# Folders that others replace, until they are removed.
_REPLACED = f"{NEXT}/.replaced"

_Source = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A\.groupcross\.(staged-[0-9a-f]+-[\w.+-]+"
        r"|next/([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*)\Z"
    ),
]


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    """A set of results that is whole.

    Attributes
    ----------
    moves : list of (str, str)
        Where they were written, and their places, relative to the output folder.
    outdated : list of str
        Results of commands before that have no successor.
    """

    format: Literal["groupcross results/2"]
    moves: list[tuple[_Source, Name]]
    outdated: list[Name]


class Results:
    """Results on their way into a folder that this command alone writes to.

    Made, it finishes what a command that was killed had begun, and removes what that left behind;
    `NEXT` it leaves to whoever goes on with it.

    Parameters
    ----------
    folder : Path
        Where results belong.

    Raises
    ------
    OSError
        If something cannot be moved or removed.
    ValueError
        If the record of a command before is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._token, self._names = secrets.token_hex(4), set[str]()
        record = _read_record(folder)
        if record is not None:
            _move_into_place(folder, record)
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

    def publish(self, replaced: Iterable[str] = (), taken: Iterable[str] = ()) -> None:
        """Let the results that were written replace those in the folder.

        Parameters
        ----------
        replaced : iterable of str
            Names of results of commands before; those without a successor go.
        taken : iterable of str
            Names of files and folders that lie in `NEXT`, to be taken over from there.

        Raises
        ------
        OSError
            If the disk is full or the folder has vanished. The results before are there still,
            or the next command finishes this one's moves.
        """
        written = sorted(name for name in self._names if self._staged(name).exists())
        for name in written:
            with open(self._staged(name), "r+b") as file:
                os.fsync(file.fileno())
        folder_to_disk(self.folder)
        moves = [(self._staged(name).name, name) for name in written]
        moves += [(f"{NEXT}/{name}", name) for name in sorted(taken)]
        outdated = sorted(set(replaced).difference(name for _, name in moves))
        record = _Record(format="groupcross results/2", moves=moves, outdated=outdated)
        # a link in its place is not ours, and may lead to anybody's file
        with written_whole(self.folder / RECORD, follow_links=False) as temporary:
            temporary.write_bytes(msgspec.json.encode(record))
        _move_into_place(self.folder, record)
        self._names.clear()

    def abandon(self) -> None:
        """Remove what was written and is not to be published."""
        if (self.folder / RECORD).exists():  # the next command makes its moves
            return
        for name in self._names:
            self._staged(name).unlink(missing_ok=True)

    def _staged(self, name: str) -> Path:
        return self.folder / f"{_STAGED}{self._token}-{name.replace('/', '+')}"


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


def _move_into_place(folder: Path, record: _Record) -> None:
    """Make the moves that are left of a record's, as often as its command is killed."""
    for number, (source, name) in enumerate(record.moves):
        if (folder / source).exists():
            (folder / name).parent.mkdir(exist_ok=True)
            _move(folder / source, folder / name, folder / f"{_REPLACED}-{number}")
    for name in record.outdated:
        (folder / name).unlink(missing_ok=True)
    for parent in {(folder / name).parent for _, name in record.moves}:
        folder_to_disk(parent)
    if any(source.startswith(f"{NEXT}/") for source, _ in record.moves):
        shutil.rmtree(folder / NEXT, ignore_errors=True)
    # what is outdated now may be somebody's file tomorrow
    (folder / RECORD).unlink(missing_ok=True)
    folder_to_disk(folder)


def _move(source: Path, target: Path, replaced: Path) -> None:
    """Move a file or a folder; a folder in its place goes to `replaced` first."""
    if source.is_dir() and target.is_symlink():
        target.unlink()  # what it names stays where it lies
    elif source.is_dir() and target.is_dir():
        os.replace(target, replaced)
    if source.is_dir() or not target.is_symlink():
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
