"""From what users call a store to the place where it lies."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from .._urls import is_url
from ._store_cache import ChunkCache, default_cache_dir
from ._store_place import LocalPlace, Place
from ._store_remote import RemoteFolder
from ._store_remote_place import RemotePlace
from ._store_schema import MANIFEST, is_manifest, is_store_folder

# Of these the files are here, and fsspec is not asked.
_LOCAL = ("file", "local")


def place_of(
    path: str | os.PathLike[str],
    storage_options: Mapping[str, Any] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    cache_bytes: int = 0,
) -> Place:
    """Find the place that a path or URL means; nothing is looked at there.

    Raises
    ------
    ValueError, ImportError
        If it is no URL of a store, or something is not installed.
    """
    local = _as_local(path)
    if local is not None:
        return LocalPlace(local)
    folder = default_cache_dir() if cache_dir is None else Path(cache_dir)
    return RemotePlace(RemoteFolder(str(path), storage_options), ChunkCache(folder, cache_bytes))


def is_store(
    path: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None
) -> bool:
    """Say whether a path is the folder of an `OrbitStore`, of whatever version.

    Parameters
    ----------
    path : path or str
        Anything: a folder of images may have a file of the manifest's name too. Or a URL, as
        `OrbitStore` takes it.
    storage_options : mapping, optional
        See `OrbitStore`.

    Returns
    -------
    is_store : bool

    Raises
    ------
    OSError
        If a URL cannot be reached.
    """
    local = _as_local(path)
    if local is not None:
        return is_store_folder(local)
    folder = RemoteFolder(str(path), storage_options)
    try:
        return is_manifest(folder.read(MANIFEST))
    except FileNotFoundError:
        return False


def _as_local(path: str | os.PathLike[str]) -> Path | None:
    """A path of this machine; None for URLs of others."""
    if not is_url(path):
        return Path(path)
    parts = urlsplit(str(path))
    return Path(url2pathname(parts.path)) if parts.scheme.lower() in _LOCAL else None
