"""Standard output and error of a command: nothing raw, nothing that fails without a name."""

from __future__ import annotations

import errno
import os
import re
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TextIO

from .._printable import escaped, printable
from ._log import LOGGER

_quiet: ContextVar[bool] = ContextVar("_quiet", default=False)

# Progress bars return to the start of their line and go one line up.
_OF_PROGRESS_BARS = re.compile("(\x1b\\[A|\r)")


@contextmanager
def own_streams() -> Iterator[None]:
    """Speak through streams that escape what a terminal would obey and what they cannot encode.

    What cannot be written to standard output raises an `OSError` that says so. What cannot be
    written to standard error is lost, since no work should be lost with it. Where nobody reads any
    more, `ReaderGone` ends the work. Streams that are closed swallow everything.
    """
    before = sys.stdout, sys.stderr
    with _open_descriptors(), open(os.devnull, "w", encoding="utf-8") as nowhere:
        output, error = (nowhere if _is_closed(stream) else stream for stream in before)
        sys.stdout = _Output(output)
        sys.stderr = _Errors(error)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def flush() -> None:
    """Write out what is buffered.

    Raises
    ------
    OSError
        If it cannot be written, as on a full disk. Nothing more is tried then, not even when the
        interpreter ends, which would complain once more.
    """
    try:
        sys.stdout.flush()
    except OSError:
        give_up(sys.stdout)
        raise


def give_up(stream: TextIO) -> None:
    """Let what is still buffered go nowhere: its reader is gone, or its disk full."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def say(text: str) -> None:
    """Tell a person something that is no result, unless they asked for quiet; it is logged."""
    LOGGER.info("%s", printable(text.strip(), keep="\n"))
    if not _quiet.get():
        _tell(text)


def complain(text: str) -> None:
    """Tell a person what is wrong; it is logged."""
    LOGGER.warning("%s", printable(text.strip(), keep="\n"))
    _tell(text)


def _tell(text: str) -> None:
    print(printable(text, keep="\n"), file=sys.stderr, flush=True)


@contextmanager
def quiet(asked_for: bool) -> Iterator[None]:
    """Say nothing in the block but what is wrong, and show no progress, if it is asked for."""
    if not asked_for:
        yield
        return
    # here: it takes longer to load than options take to be checked
    from .._progress import without_progress

    before = _quiet.set(True)
    try:
        with without_progress():
            yield
    finally:
        _quiet.reset(before)


@contextmanager
def warnings_in_one_line(in_words: Callable[[str], str]) -> Iterator[None]:
    """Show what is said to users as errors are: without the line of code that it is about.

    Parameters
    ----------
    in_words : callable
        Turns the text of a warning into what is shown. Warnings to programmers, of other
        categories, are shown as Python does.
    """
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, UserWarning):
            complain(f"groupcross: warning: {in_words(str(message))}")
        else:
            before(message, category, *where, **more)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


class ReaderGone(BrokenPipeError):
    """Nobody reads standard output or error any more."""


class _Stream(ABC):
    """A text stream with another `write`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @abstractmethod
    def write(self, text: str) -> int:
        """Write text as it may be shown."""

    def writelines(self, lines: Iterable[str]) -> None:
        # that of the stream itself would write them as they are
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _encodable(self, text: str) -> str:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            return "".join(c if _can_encode(c, encoding) else escaped(c) for c in text)
        return text


class _Output(_Stream):
    """Standard output; `flush` raises what `write` has raised, which some callers swallow."""

    _error: OSError | None = None

    def write(self, text: str) -> int:
        try:
            with _named("standard output"):
                self._stream.write(self._encodable(printable(text, keep="\n\t")))
        except OSError as error:
            self._error = error
            raise
        return len(text)

    def flush(self) -> None:
        if self._error is not None:
            raise self._error
        with _named("standard output"):
            self._stream.flush()


class _Errors(_Stream):
    """Standard error, where progress is shown as well."""

    def write(self, text: str) -> int:
        parts = _OF_PROGRESS_BARS.split(text)
        parts[::2] = [self._encodable(printable(part, keep="\n\t")) for part in parts[::2]]
        with _lost():
            self._stream.write("".join(parts))
        return len(text)

    def flush(self) -> None:
        with _lost():
            self._stream.flush()


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGone(error.errno, error.strerror, name) from error
    except OSError as error:
        error.filename = name
        raise


@contextmanager
def _lost() -> Iterator[None]:
    """Let errors of writing pass, unless nobody reads."""
    try:
        with _named("standard error"):
            yield
    except ReaderGone:
        raise
    except OSError:
        pass


def _can_encode(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _is_closed(stream: TextIO | None) -> bool:
    return stream is None or stream.closed


@contextmanager
def _open_descriptors() -> Iterator[None]:
    """See that no file is opened in the place of a standard stream that is closed.

    What is written to that stream by libraries would go into the file.
    """
    opened = []
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            opened.append(os.open(os.devnull, os.O_RDWR))
    try:
        yield
    finally:
        for descriptor in opened:
            os.close(descriptor)
