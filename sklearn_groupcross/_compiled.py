"""Loops compiled by numba, and kept on disk as far as that can be trusted to work."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache

from ._ambient import warn_caller

# Sums may be reordered, which vector instructions need; NaN and infinity stay what they are.
_REORDERED = {"reassoc", "contract", "nsz"}
_DIGEST_SIZE = 16


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop for the machine that it runs on, and keep it on disk if there is a place.

    Where compiled code cannot be read back or kept, it is compiled for the process alone, with a
    warning: no fit fails for what a full disk or a kill has left of the files.
    """
    loop: Any = numba.njit(nogil=True, fastmath=_REORDERED, error_model="numpy")(function)
    if hasattr(loop, "_cache"):  # not with NUMBA_DISABLE_JIT
        loop._cache = _cache_of(function)
    return loop


@contextmanager
def keeping(loops: Iterable[Any]) -> Iterator[None]:
    """Keep on disk, as `compiled` does, what is compiled meanwhile of others' loops.

    Parameters
    ----------
    loops : iterable of object
        What numba has decorated, and nobody keeps; anything else is passed over. Of loops that one
        function was made into by several options no more than one: on disk they are the same.
    """
    not_kept = [loop for loop in loops if type(getattr(loop, "_cache", None)) is NullCache]
    caches = [loop._cache for loop in not_kept]
    for loop in not_kept:
        loop._cache = _cache_of(loop.py_func)
    try:
        yield
    finally:
        for loop, cache in zip(not_kept, caches, strict=True):
            loop._cache = cache


def _cache_of(function: Callable[..., Any]) -> Any:
    try:
        return _Kept(function)
    except RuntimeError:  # no folder can be written to
        return _NotKept()


class _Kept(FunctionCache):
    """numba's own cache of a function, which fails without failing the call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _CheckedFiles(
            cache_path=self._cache_path,
            # numba's own files, of versions before this one, are another format
            filename_base=f"{self._impl.filename_base}.checked",
            source_stamp=self._impl.locator.get_source_stamp(),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # whatever a pickle of another build may raise
            _warn_once(f"cannot be used ({_describe(error)})", self._cache_path)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception as error:
            _warn_once(f"cannot be written ({_describe(error)})", self._cache_path)


class _NotKept(NullCache):
    """Says so when something is compiled, not when the package is imported."""

    def load_overload(self, sig: Any, target_context: Any) -> None:
        _warn_once("can be written to no folder; NUMBA_CACHE_DIR names one", None)


class _CheckedFiles(IndexDataCacheFile):
    """The files of one function, with a digest before what is in them.

    A bit that has changed in machine code would go unnoticed until it runs.
    """

    def _load_index(self) -> dict[Any, str]:
        try:
            version, stamp, overloads = self._read(self._index_path)
        except FileNotFoundError:
            return {}
        except Exception as error:  # then it is written anew
            _warn_once(f"is damaged ({_describe(error)})", self._index_path)
            return {}
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        path = self._data_path(name)
        try:
            return self._read(path)
        except FileNotFoundError:
            raise
        except Exception as error:
            _warn_once(f"is damaged ({_describe(error)})", path)
            raise OSError from error  # which numba takes for a file that is not there

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: str) -> Any:
        content = Path(path).read_bytes()
        digest, data = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
        if digest != _digest(data):
            raise ValueError("its digest is another")
        return pickle.loads(data)

    def _write(self, path: str, content: Any) -> None:
        data = self._dump(content)
        with self._open_for_write(path) as file:
            file.write(_digest(data) + data)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_SIZE).digest()


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


_warned: set[str] = set()


def _warn_once(what: str, path: str | None) -> None:
    """Warn once a process and folder: there are many loops."""
    folder = "" if path is None else str(Path(path) if Path(path).is_dir() else Path(path).parent)
    if folder in _warned:
        return
    _warned.add(folder)
    where = "" if path is None else f", {path},"
    warn_caller(
        f"The cache of compiled loops{where} {what}. They are compiled anew, which takes seconds.",
        RuntimeWarning,
    )
