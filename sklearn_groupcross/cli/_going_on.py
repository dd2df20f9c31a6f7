"""What a command that a signal has ended says last: what is kept, and which command goes on."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ._signals import Stopped


@contextmanager
def saying_how_to_go_on(
    options: argparse.Namespace, kept: Callable[[], list[str]]
) -> Iterator[None]:
    """Add to an interrupt what was kept of the work, and the command that goes on with it.

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
    """
    try:
        yield
    except (KeyboardInterrupt, Stopped) as interrupt:
        texts: list[str] = []
        with suppress(OSError, ValueError):  # the folder may be gone
            texts = [text for text in kept() if text]
        if isinstance(interrupt, Stopped):
            raise Stopped(interrupt.number, _ending(options, texts)) from interrupt
        # what `fit` says of estimators is for programs
        raise KeyboardInterrupt(_ending(options, texts)) from interrupt


def command_line(options: argparse.Namespace) -> str:
    """The command as it was typed, for a shell."""
    return shlex.join(["groupcross", *options.typed_command])


def _ending(options: argparse.Namespace, kept: list[str]) -> str:
    command = command_line(options)
    if not kept:
        return f"Nothing is kept. To begin again: {command}"
    return f"Kept: {', '.join(kept)}. To go on: {command}"
