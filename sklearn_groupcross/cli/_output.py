"""The folder that a command writes its results to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def output_folder(folder: Path, overwrite: bool, results: Sequence[str]) -> Iterator[Path]:
    """Make sure that results can be written, before hours of work; leave no empty folder behind.

    Parameters
    ----------
    folder : Path
    overwrite : bool
        Whether results that lie there may be replaced.
    results : sequence of str
        Names of files in the folder that say that it holds results.

    Raises
    ------
    ValueError
        If there are results.
    OSError
        If nothing can be written.
    """
    existing = [name for name in results if (folder / name).exists()]
    if existing and not overwrite:
        raise ValueError(
            f"{folder} already holds {existing[0]}: choose another --out, or --overwrite."
        )
    created = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
    except OSError as error:
        raise OSError(f"Cannot write results to {folder}: {error.strerror or error}.") from error
    try:
        yield folder
    finally:
        if created and not any(folder.iterdir()):
            folder.rmdir()
