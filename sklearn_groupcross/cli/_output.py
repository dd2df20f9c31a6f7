"""The folder that a command writes its results to."""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ._lock import hold_folder
from ._results import Results

# Where results go and whether they may replace others is no matter of what they are.
_WITHOUT_EFFECT = ("command", "out", "overwrite", "json")


@contextmanager
def output_folder(
    options: argparse.Namespace, files: Sequence[str], folders: Sequence[str] = ()
) -> Iterator[Results]:
    """Make sure that results can be written, before hours of work; leave no empty folder behind.

    Parameters
    ----------
    options : Namespace
        Of the command: `out` is the folder, `overwrite` says whether results that lie there may be
        replaced.
    files, folders : sequence of str
        Names in the folder that say that it holds results.

    Yields
    ------
    results : Results
        To be published in the block. Nothing is in the folder before that, and nothing stays if
        the block raises before.

    Raises
    ------
    ValueError
        If there are results, or the folder's records are damaged.
    OSError
        If nothing can be written, or another command writes there.
    """
    folder = options.out
    created = _make(folder)
    try:
        with hold_folder(folder):
            results = Results(folder, _digest(options))
            try:
                _check(folder, files, folders, options.overwrite or results.goes_on)
                yield results
            except OSError as error:
                results.abandon()
                results.name_place(error)
                raise
            except BaseException:
                results.abandon()
                raise
            results.close()
    finally:
        for made in created:
            # another command may have begun to write there
            with suppress(OSError):
                made.rmdir()


def _make(folder: Path) -> list[Path]:
    """Make a folder if need be, see that it can be written to, and return what was made."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
    except OSError as error:
        for made in missing:
            with suppress(OSError):
                made.rmdir()
        raise OSError(f"Cannot write results to {folder}: {error.strerror or error}.") from error
    return missing


def _check(folder: Path, files: Sequence[str], folders: Sequence[str], may_replace: bool) -> None:
    existing = [name for name in (*files, *folders) if (folder / name).exists()]
    if existing and not may_replace:
        raise ValueError(
            f"{folder} already holds {existing[0]}: choose another --out, or --overwrite."
        )
    for name in existing:
        if (folder / name).is_dir() != (name in folders):
            expected, found = ("folder", "file") if name in folders else ("file", "folder")
            raise ValueError(
                f"{folder / name} is a {found}, and results belong into a {expected} of that name: "
                "choose another --out."
            )


def _digest(options: argparse.Namespace) -> str:
    """Digest of what a command was told to do."""
    told = {name: value for name, value in vars(options).items() if name not in _WITHOUT_EFFECT}
    text = repr((options.command.__name__, sorted(told.items())))
    # names of files need not be text
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
