"""The command ``groupcross``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ._endings import (
    BROKEN_PIPE,
    USER_ERROR,
    check_working_folder,
    in_one_line,
    is_of_the_user,
    status_of_signal,
)
from ._parser import make_parser
from ._signals import Stopped, stopped_by_signals
from ._streams import ReaderGone, flush, give_up, own_streams, say

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    status : int
        0; 2 for a user's mistake, said in one line; 130 after Ctrl-C, 143 after SIGTERM, 129 after
        SIGHUP; 141 if nobody reads the output any more. A fault of the program raises, which ends
        the process with 1 and a traceback.
    """
    with own_streams(), stopped_by_signals():
        try:
            return _carry_out(arguments)
        except ReaderGone:
            for stream in (sys.stdout, sys.stderr):
                give_up(stream)
            return BROKEN_PIPE


def _carry_out(arguments: Sequence[str] | None) -> int:
    try:
        try:
            options = make_parser().parse_args(arguments)
            check_working_folder()
            options.command(options)
        except SystemExit:  # usage or help has been printed
            flush()
            raise
        flush()
    except (KeyboardInterrupt, Stopped) as interrupt:
        say(f"\ngroupcross: {in_one_line(interrupt)}")
        return status_of_signal(interrupt)
    except ReaderGone:
        raise
    except Exception as error:
        if not is_of_the_user(error):
            raise
        say(f"groupcross: error: {in_one_line(error)}")
        return USER_ERROR
    return 0
