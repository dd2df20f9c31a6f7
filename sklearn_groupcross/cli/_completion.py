"""``groupcross completion``: commands and options as a shell completes them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ._types import (
    existing_file,
    existing_path,
    folder_to_write,
    model_file,
    store_folder,
    store_to_write,
)

#: Shells that read what is printed.
SHELLS = ("bash", "zsh", "tcsh")

_HOW = """\
examples:
  eval "$(groupcross completion bash)"                  in ~/.bashrc
  groupcross completion zsh > ~/.zsh/_groupcross        in a folder of $fpath
  groupcross completion tcsh > ~/.groupcross.tcsh       and source it in ~/.tcshrc
"""


def add_completion(commands: Any, make_parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Add the command to a parser's subparsers.

    Parameters
    ----------
    commands : subparsers
    make_parser : callable
        Makes the parser whose commands and options are completed.
    """
    parser = commands.add_parser(
        "completion",
        help="commands and options for your shell to complete",
        description="Print a script with which a shell completes commands, options and paths.",
        epilog=_HOW,
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"{', '.join(SHELLS)}")

    def complete(options: argparse.Namespace) -> None:
        print(completion(make_parser(), options.shell))

    parser.set_defaults(command=complete)


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Script of a shell that completes what a parser knows.

    Parameters
    ----------
    parser : ArgumentParser
        Its arguments are marked: those that are files, and those that are folders.
    shell : str
        One of `SHELLS`.

    Returns
    -------
    script : str
    """
    import shtab

    places = {
        existing_file: shtab.FILE,
        existing_path: shtab.FILE,
        model_file: shtab.FILE,
        store_folder: shtab.DIR,
        store_to_write: shtab.DIR,
        folder_to_write: shtab.DIR,
    }
    for action in _arguments(parser):
        if action.type in places:
            action.complete = places[action.type]  # type: ignore[attr-defined]  # where shtab looks
    return shtab.complete(parser, shell)


def _arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Arguments of a parser and of all commands in it."""
    found = []
    for action in parser._actions:
        found.append(action)
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                found.extend(_arguments(command))
    return found
