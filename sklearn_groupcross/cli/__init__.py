"""The command ``groupcross``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ._config import parse
from ._endings import (
    BROKEN_PIPE,
    USER_ERROR,
    check_working_folder,
    in_one_line,
    is_of_the_user,
    status_of_signal,
)
from ._going_on import with_the_way_on
from ._option_names import in_options
from ._parser import make_parser
from ._parsing import WrongCall
from ._signals import Stopped, replaced_signals_raised, stopped_by_signals
from ._streams import ReaderGone, complain, flush, give_up, own_streams, quiet, warnings_in_one_line

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
        except (KeyboardInterrupt, Stopped) as another:  # while the first was being told
            return status_of_signal(another)


def _carry_out(arguments: Sequence[str] | None) -> int:
    # a signal may come before they are parsed
    typed = list(sys.argv[1:] if arguments is None else arguments)
    options = argparse.Namespace(typed_command=typed)
    try:
        try:
            options = parse(make_parser, typed)
            check_working_folder()
            with (
                replaced_signals_raised(),
                quiet(getattr(options, "quiet", False)),
                warnings_in_one_line(lambda text: in_options(in_one_line(text), options)),
            ):
                options.command(options)
        except SystemExit:  # help or the version has been printed
            flush()
            raise
        flush()
    except (KeyboardInterrupt, Stopped) as interrupt:
        complain(f"\ngroupcross: {with_the_way_on(in_one_line(interrupt), options)}")
        return status_of_signal(interrupt)
    except ReaderGone:
        raise
    except WrongCall as error:
        complain(f"{error.program}: error: {in_one_line(error)}")
        return USER_ERROR
    except Exception as error:
        if not is_of_the_user(error):
            raise
        complain(f"groupcross: error: {in_options(in_one_line(error), options)}")
        return USER_ERROR
    return 0
