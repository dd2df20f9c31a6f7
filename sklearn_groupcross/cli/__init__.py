"""The command ``groupcross``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .._version import __version__
from ._analyze import add_analyze
from ._experiments import add_experiments
from ._stores import add_stores

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
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except KeyboardInterrupt as interrupt:
        print(f"\ngroupcross: interrupted. {interrupt}".rstrip(), file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, ImportError) as error:
        print(f"groupcross: error: {' '.join(str(error).split())}", file=sys.stderr)
        return USER_ERROR
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="groupcross",
        description="Find which features of a vision network move together under a symmetry group.",
    )
    parser.add_argument("--version", action="version", version=f"groupcross {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    add_experiments(commands)
    add_stores(commands)
    add_analyze(commands)
    return parser
