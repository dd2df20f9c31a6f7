"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `target` to write to, renamed to it when the block ends well.

    If the block raises, the temporary file goes and what stood at `target` stays.

    Raises
    ------
    OSError
        If the folder is missing, read-only or full, or `target` is a folder.
    """
    target = Path(target)
    # the target is named: the user knows nothing of the temporary file
    if not target.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, f"There is no folder {str(target.parent)!r}, make it first", str(target)
        )
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "This is a folder, name a file in it", str(target))
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent
        )
    except OSError as error:
        error.filename = str(target)
        raise
    os.close(descriptor)
    temporary = Path(name)
    try:
        try:
            yield temporary
        except OSError as error:
            if (
                error.errno is not None and error.filename is None
            ):  # a full disk does not say which file it was
                error.filename = str(target)
            raise
        # mkstemp makes files private; give this one the permissions a plain open() would
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def reserve_space(file: Path) -> None:
    """Claim the disk space of a sparse file: writing to a map on a full disk kills the process.

    Raises
    ------
    OSError
        If there is not enough.
    """
    if hasattr(os, "posix_fallocate"):  # not on every system
        with open(file, "r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
