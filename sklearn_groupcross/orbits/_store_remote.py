"""A folder of object storage, reached through fsspec: whole objects are read, written, listed."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

# Names of options that hold no secret: only these are pickled.
_PLAIN_OPTIONS = frozenset(
    {
        "account_name",
        "anon",
        "client_kwargs",
        "config_kwargs",
        "connect_timeout",
        "default_block_size",
        "endpoint_url",
        "host",
        "listings_expiry_time",
        "max_concurrency",
        "port",
        "profile",
        "project",
        "protocol",
        "read_timeout",
        "region",
        "region_name",
        "requester_pays",
        "retries",
        "skip_instance_cache",
        "timeout",
        "use_listings_cache",
        "use_ssl",
        "verify",
        "version_aware",
    }
)
# What filesystems call that which changes with an object, in the order of their worth.
_TOKENS = (
    "ETag",
    "etag",
    "md5Hash",
    "generation",
    "mtime",
    "LastModified",
    "last_modified",
    "created",
)
_AT_ONCE = 256


class Entry(NamedTuple):
    """What a listing says of an object: its bytes, and what changes with its content."""

    size: int
    token: str


@dataclass(frozen=True)
class RemoteFile:
    """An object, named like a path."""

    parent: str
    name: str

    def __str__(self) -> str:
        return f"{self.parent}/{self.name}"


class RemoteFolder:
    """All objects whose names begin with a URL.

    Parameters
    ----------
    url : str
    storage_options : mapping, optional
        What fsspec's filesystem of that protocol takes. Pickled without those that may be secret.

    Raises
    ------
    ValueError
        If the URL holds a password or a query, or there is no such protocol.
    ImportError
        If fsspec, or the protocol's own package, is not installed; it says which.
    """

    def __init__(self, url: str, storage_options: Mapping[str, Any] | None = None) -> None:
        beginning = url.partition("://")[2].partition("/")[0]
        if "@" in beginning or "?" in url or "::" in url:
            protocol = url.partition("://")[0]
            raise ValueError(
                f"A store's URL is protocol://place/name alone; this one ({protocol}://...) has a "
                "user, a query or a chain in it. Give what it says as storage_options, or in "
                "fsspec's configuration."
            )
        self.url = url.rstrip("/")
        self._options = dict(storage_options or {})
        self._left_out: tuple[str, ...] = ()
        self._root = self._filesystem()[1]

    def __str__(self) -> str:
        return self.url

    def __getstate__(self) -> dict[str, Any]:
        plain = _without_secrets(self._options)
        left_out = tuple(sorted(self._options.keys() - plain.keys()))
        return {**self.__dict__, "_options": plain, "_left_out": self._left_out + left_out}

    def __truediv__(self, name: str) -> RemoteFile:
        return RemoteFile(self.url, name)

    def _filesystem(self) -> tuple[Any, str]:
        # asked for each time: fsspec keeps one for each process and thread
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise ImportError(
                f"{self.url} is reached through fsspec: pip install 'sklearn-groupcross[remote]', "
                "and the package of its protocol, such as s3fs."
            ) from error
        filesystem, path = url_to_fs(self.url, **self._options)
        return filesystem, path.rstrip("/")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _connected(self, name: str = "") -> Iterator[Any]:
        """Give the filesystem; its errors name the object, and no secret."""
        try:
            yield self._filesystem()[0]
        except FileNotFoundError as error:
            missing = f"{self.url}/{name}".rstrip("/")
            raise FileNotFoundError(errno.ENOENT, "There is no such object", missing) from error
        except (ImportError, MemoryError):
            raise
        except Exception as error:  # every protocol has errors of its own
            kind = PermissionError if isinstance(error, PermissionError) else OSError
            text = _redacted(f"{type(error).__name__}: {error}", self._options)
            if self._left_out:
                text += (
                    f" (storage_options {', '.join(self._left_out)} were not pickled, since they "
                    "may be secret: other processes find them in the environment or in fsspec's "
                    "configuration)"
                )
            raise kind(f"{self.url}/{name}".rstrip("/") + f": {text}") from None

    def read(self, name: str) -> bytes:
        """Content of an object; FileNotFoundError if there is none."""
        with self._connected(name) as filesystem:
            return bytes(filesystem.cat_file(self._path(name)))

    def read_all(self, names: Sequence[str]) -> Iterator[bytes | None]:
        """Contents of many objects, some at a time; None where there is none."""
        for start in range(0, len(names), _AT_ONCE):
            part = names[start : start + _AT_ONCE]
            paths = [self._path(name) for name in part]
            with self._connected() as filesystem:
                found = filesystem.cat(paths, on_error="return")
                for path in paths:
                    content = found.get(path)
                    if isinstance(content, Exception) and not isinstance(
                        content, FileNotFoundError
                    ):
                        raise content
            yield from (
                bytes(found[path]) if isinstance(found.get(path), bytes) else None for path in paths
            )

    def read_ranges(self, name: str, starts: Sequence[int], stops: Sequence[int]) -> list[bytes]:
        """Parts of an object, as many at a time as the filesystem asks for."""
        with self._connected(name) as filesystem:
            paths = [self._path(name)] * len(starts)
            return [
                bytes(part)
                for part in filesystem.cat_ranges(
                    paths, list(starts), list(stops), on_error="raise"
                )
            ]

    def write(self, name: str, content: bytes) -> None:
        """Put an object in place of the one that is there."""
        with self._connected(name) as filesystem:
            filesystem.pipe_file(self._path(name), content)

    def upload(self, name: str, file: Path) -> None:
        """Put a file."""
        with self._connected(name) as filesystem:
            filesystem.put_file(str(file), self._path(name))

    def download(self, name: str, file: Path) -> None:
        """Fetch an object into a file."""
        with self._connected(name) as filesystem:
            filesystem.get_file(self._path(name), str(file))

    def remove(self, names: Sequence[str]) -> None:
        """Remove objects that are there."""
        with self._connected() as filesystem:
            filesystem.rm([self._path(name) for name in names])

    def listing(self) -> dict[str, Entry]:
        """All objects, as of now, by name."""
        with self._connected() as filesystem:
            filesystem.invalidate_cache(self._root)
            found = filesystem.find(self._root, detail=True)
            # nor is what is asked of one object later to be answered from this
            filesystem.invalidate_cache(self._root)
        return {
            path.removeprefix(self._root).lstrip("/"): _entry(info) for path, info in found.items()
        }

    def entry(self, name: str) -> Entry | None:
        """What a listing would say of one object; None if there is none."""
        try:
            with self._connected(name) as filesystem:
                return _entry(filesystem.info(self._path(name)))
        except FileNotFoundError:
            return None


def _entry(info: Mapping[str, Any]) -> Entry:
    token = next((info[name] for name in _TOKENS if info.get(name) is not None), "")
    # one filesystem has seconds in its listings, and times elsewhere
    return Entry(int(info["size"] or 0), str(getattr(token, "timestamp", lambda: token)()))


def _without_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in options.items():
        if name not in _PLAIN_OPTIONS:
            continue
        if isinstance(value, Mapping):
            plain[name] = _without_secrets(value)
        elif not (isinstance(value, str) and "@" in value):
            plain[name] = value
    return plain


def _redacted(text: str, options: Mapping[str, Any]) -> str:
    """Text without the values of options that may be secret, and without signatures of URLs."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            text = _redacted(text, value)
        elif isinstance(value, str) and value and name not in _PLAIN_OPTIONS:
            text = text.replace(value, "***")
    return re.sub(
        r"([?&](?:X-[A-Za-z]+-)?(?:Credential|Signature|sig|token)=)[^&\s'\"]+", r"\1***", text
    )
