"""Other systems than the one that tests run on, as far as `os` tells them apart."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock


class System:
    """The module `os` without some of its names."""

    missing: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        if name in self.missing:
            raise AttributeError(name)
        return getattr(os, name)


class Mac(System):
    """No space is reserved; whatever else the package asks for is there."""

    missing = ("posix_fallocate",)


class Windows(System):
    """Folders are not opened, nor open files replaced, removed or linked."""

    name = "nt"
    missing = (
        "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "fork", "geteuid", "getuid", "link", "mkfifo",
        "posix_fallocate",
    )  # fmt: skip

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return os.open(path, flags, mode)

    def replace(self, source: Any, target: Any) -> None:
        for path in map(os.path.realpath, (source, target)):
            if _is_open(path):
                raise PermissionError(errno.EACCES, "The file is in use", str(path))
        os.replace(source, target)


def _is_open(path: str) -> bool:
    opened = (os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd"))
    return path in opened or path in Path("/proc/self/maps").read_text(encoding="utf-8")


def _modules_with(name: str, value: object) -> list[ModuleType]:
    return [
        module
        for key, module in sys.modules.items()
        if key.startswith("sklearn_groupcross.") and getattr(module, name, None) is value
    ]


@contextmanager
def running_on(system: System) -> Iterator[None]:
    """Have every module of the package that is imported by now meet another system."""
    from sklearn_groupcross import _files, _locks
    from sklearn_groupcross.orbits import _plain_files

    patched = [mock.patch.object(module, "os", system) for module in _modules_with("os", os)]
    if isinstance(system, Windows):
        unlink = Path.unlink

        def refusing(path: Path, missing_ok: bool = False) -> None:
            if _is_open(os.path.realpath(path)):
                raise PermissionError(errno.EACCES, "The file is in use", str(path))
            unlink(path, missing_ok=missing_ok)

        patched += [
            mock.patch.object(_files, "fcntl", None),
            mock.patch.object(_plain_files, "_FLAGS", 0),
            mock.patch.object(_locks, "_FLAGS", os.O_RDWR | os.O_CREAT),
            mock.patch.object(Path, "unlink", refusing),
        ]
    for patch in patched:
        patch.start()
    try:
        yield
    finally:
        for patch in reversed(patched):
            patch.stop()
