"""The folder that a command writes to, held for as long as it does."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .._printable import printable
from ._endings import in_one_line
from ._folder import RunFolder
from ._going_on import command_line
from ._lock import hold_folder
from ._log import LOGGER, Log
from ._results import NEXT


@contextmanager
def run_folder(options: argparse.Namespace, out: Path) -> Iterator[RunFolder]:
    """Hold a folder and see that it can be written to; leave no empty folder behind.

    Parameters
    ----------
    options : Namespace
        Of the command: `overwrite` says whether results that lie there may be replaced.
    out : Path

    Raises
    ------
    ValueError
        If the folder's records are damaged.
    OSError
        If nothing can be written, or another command writes there.
    """
    created = _make(out)
    try:
        with hold_folder(out):
            log = Log()
            LOGGER.info("%s", printable(command_line(options)))
            failed = True
            try:
                folder = RunFolder(out, options.overwrite, log)
                try:
                    yield folder
                    failed = False
                    LOGGER.info("done")
                except BaseException as error:
                    if isinstance(error, OSError):
                        name_in_folder(error, out)
                    LOGGER.error("%s", in_one_line(error) or type(error).__name__)
                    raise
                finally:
                    folder.close(failed=failed)
            finally:
                log.close()
    finally:
        for made in created:
            # another command may have begun to write there
            with suppress(OSError):
                made.rmdir()


def name_in_folder(error: OSError, out: Path) -> None:
    """Let an error name a file's place in a folder, not where it is until all is whole."""
    if isinstance(error.filename, str) and f"{NEXT}/" in error.filename.replace("\\", "/"):
        _, _, name = error.filename.replace("\\", "/").partition(f"{NEXT}/")
        error.filename = str(out / name)


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
        raise OSError(
            f"Cannot write results to {folder}: {error.strerror or error}. Choose another --out, "
            "or mend that."
        ) from error
    return missing
