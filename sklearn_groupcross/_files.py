"""Files that appear whole or not at all, and are there after a power cut."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Begins the names of folders in which files are written until they are whole.
_PREFIX = ".groupcross-"
# Where a folder cannot be locked, one of this age in seconds is nobody's any more.
_OLD = 24 * 3600.0


@contextmanager
def written_whole(target: str | os.PathLike[str], *, follow_links: bool = True) -> Iterator[Path]:
    """Give a temporary path to write to, renamed to `target` when the block ends well.

    The content is on the disk before the name is, and the name before this returns. If the block
    raises, what was written goes and what stood at `target` stays. What killed writers of the same
    file left behind goes as well; that of writers at work stays.

    Parameters
    ----------
    target : path
    follow_links : bool, default=True
        Where `target` is a symbolic link, write what it names and leave the link. Otherwise the
        link itself is replaced.

    Raises
    ------
    OSError
        If the folder is missing, read-only or full, or `target` is a folder or a device.
    """
    target = Path(target)
    try:
        place = Path(os.path.realpath(target)) if follow_links else target
    except FileNotFoundError as error:  # of a relative path, where the working directory is gone
        error.filename = str(target)
        raise
    # the target is named: the user knows nothing of the temporary file
    if not place.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, f"There is no folder {str(place.parent)!r}, make it first", str(target)
        )
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, "This is a folder, name a file in it", str(target))
    if place.is_char_device() or place.is_block_device():  # which would be none any more
        raise OSError(errno.EINVAL, "This is a device, name a file", str(target))
    remove_remains(place)
    # a folder, not a file: others' writers make files of their own and rename them
    try:
        folder, lock = _make_folder(place)
    except OSError as error:
        error.filename = str(target)
        raise
    temporary = folder / place.name
    try:
        yield temporary
        _settle(temporary)
        os.replace(temporary, place)
        folder_to_disk(place.parent)
    except OSError as error:
        _name_target(error, target, folder)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_remains(target: Path) -> None:
    """Remove what killed writers of a file left behind, and nothing that is being written."""
    _remove(target.parent.glob(f"{_stem(target)}-*"))


def remove_all_remains(folder: Path) -> None:
    """Remove what killed writers of any file of a folder left behind."""
    _remove(folder.glob(f"{_PREFIX}*"))


def _remove(folders: Iterable[Path]) -> None:
    for remains in folders:
        if remains.is_symlink() or not remains.is_dir():  # not of ours
            continue
        try:
            lock = _lock(remains)
            if lock is None and time.time() - remains.stat().st_mtime < _OLD:
                continue
        except OSError:  # a writer's at work, or gone
            continue
        shutil.rmtree(remains, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def is_temporary(path: Path) -> bool:
    """Whether it is a folder of `written_whole`, at work or left behind by a killed one."""
    return path.name.startswith(_PREFIX)


def folder_to_disk(folder: Path) -> None:
    """Have the names in a folder reach the disk; systems that open no folders see to it alone."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some file systems of the network refuse it
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


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


def _stem(target: Path) -> str:
    # of one length: a name near the limit of the file system leaves no room for more
    return _PREFIX + hashlib.blake2b(os.fsencode(target.name), digest_size=6).hexdigest()


def _name_target(error: OSError, target: Path, folder: Path) -> None:
    """Let an error name the target, where it names nothing or a file of the temporary folder."""
    if error.errno is None:
        return
    # a full disk does not say which file it was
    if error.filename is None:
        error.filename = str(target)
    elif (
        not isinstance(error.filename, int) and folder in Path(os.fsdecode(error.filename)).parents
    ):
        error.filename = str(target)
        if error.filename2 is not None:  # what it was to be renamed to: None would be shown as well
            del error.filename2


def _make_folder(target: Path) -> tuple[Path, int | None]:
    """Make a folder to write in, and lock it.

    Raises
    ------
    OSError
        If none can be made or opened, as where too many files are open.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_stem(target)}-", dir=target.parent))
        try:
            lock = _lock(folder)
        except (FileNotFoundError, BlockingIOError):  # taken for remains before it was locked
            continue
        except OSError:
            # empty: to remove a tree, folders are opened
            with suppress(OSError):
                folder.rmdir()
            raise
        if folder.exists():
            return folder, lock
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder until the descriptor is closed or its process ends.

    None where the system knows no such locks.

    Raises
    ------
    BlockingIOError
        If another process holds it.
    FileNotFoundError
        If it is gone.
    OSError
        If it cannot be opened.
    """
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _settle(file: Path) -> None:
    """Have a file reach the disk, with the permissions that a plain ``open`` gives."""
    plain = file.with_name("permissions")
    if plain != file:  # what others' writers make may be private
        plain.touch()
        file.chmod(stat.S_IMODE(plain.stat().st_mode))
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
