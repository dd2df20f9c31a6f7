"""The command ``groupcross``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ._parser import make_parser

USER_ERROR, INTERRUPTED = 2, 130

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
        0; 2 for a user's mistake, said in one line; 130 after Ctrl-C. A fault of the program
        raises, which ends the process with 1 and a traceback.
    """
    options = make_parser().parse_args(arguments)
    try:
        options.command(options)
    except KeyboardInterrupt as interrupt:
        print(f"\ngroupcross: interrupted. {interrupt}".rstrip(), file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, ImportError) as error:
        print(f"groupcross: error: {' '.join(str(error).split())}", file=sys.stderr)
        return USER_ERROR
    return 0
