"""What a command that a signal has ended says last: what is kept, and which command goes on."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ._signals import Stopped, replaced_signals_raised
from ._streams import ReaderGone, complain


@contextmanager
def saying_how_to_go_on(
    options: argparse.Namespace, kept: Callable[[], list[str]]
) -> Iterator[None]:
    """Say where work ends early what is kept of it, and the command that goes on with it.

    An interrupt says so itself. Before an error of the system, such as a full disk, it is said.

    Parameters
    ----------
    options : Namespace
        With `typed_command`.
    kept : callable
        Says what is kept, one text each; empty ones do not count.

    Raises
    ------
    KeyboardInterrupt, Stopped
        With that message.
    OSError
        As it came.
    """
    try:
        with replaced_signals_raised():
            yield
    except (KeyboardInterrupt, Stopped) as interrupt:
        ending = _ending(options, _texts(kept))
        if isinstance(interrupt, Stopped):
            raise Stopped(interrupt.number, ending) from interrupt
        # what `fit` says of estimators is for programs
        raise KeyboardInterrupt(ending) from interrupt
    except ReaderGone:  # to nobody nothing is said
        raise
    except OSError:
        complain(_ending(options, _texts(kept), "once that is mended"))
        raise


def _texts(kept: Callable[[], list[str]]) -> list[str]:
    with suppress(OSError, ValueError):  # the folder may be gone
        return [text for text in kept() if text]
    return []


def with_the_way_on(text: str, options: argparse.Namespace) -> str:
    """Add the command that goes on to what an interrupt says, where it came outside of the work."""
    if command_line(options) in text:
        return text
    return f"{text} To go on: {command_line(options)}"


def command_line(options: argparse.Namespace) -> str:
    """The command as it was typed, for a shell."""
    return shlex.join(["groupcross", *options.typed_command])


def _ending(options: argparse.Namespace, kept: list[str], when: str = "") -> str:
    command = f"{f' {when}' if when else ''}: {command_line(options)}"
    if not kept:
        return f"Nothing is kept. To begin again{command}"
    return f"Kept: {', '.join(kept)}. To go on{command}"
