"""A parser of arguments whose complaints are one line each."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .._suggestions import did_you_mean

Options = argparse.Namespace
# What argparse takes for an option: neither a number below zero nor words with spaces.
_OPTION = re.compile(r"-(?!\.?[0-9])[^ ]+")


class WrongCall(ValueError):
    """A command was called in a way that it does not know.

    Attributes
    ----------
    program : str
        The command as it is typed, such as ``groupcross store info``.
    """

    def __init__(self, program: str, message: str) -> None:
        super().__init__(message)
        self.program = program


class Parser(argparse.ArgumentParser):
    """A parser that raises `WrongCall`, and knows what may have been meant.

    Options are not to be abbreviated: an abbreviation that is clear today is not once there is
    another option.

    Parameters
    ----------
    **settings
        Of `argparse.ArgumentParser`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            **settings,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.color = False  # colours are codes, which are escaped
        self._rules: list[Callable[[Options], None]] = []

    def require(self, rule: Callable[[Options], None]) -> None:
        """Hold options against one another.

        Parameters
        ----------
        rule : callable
            Raises a `ValueError` if options, each valid, do not go together.
        """
        self._rules.append(rule)

    def error(self, message: str) -> NoReturn:
        """Raise `WrongCall`.

        The program prints it, as it does what goes wrong later.
        """
        end = "" if message.endswith((".", "?")) else "."
        raise WrongCall(self.prog, f"{message}{end} See {self.prog} --help")

    def parse_known_args(  # type: ignore[override]  # one signature for its overloads
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Refuse arguments that are unknown here, where those that are known are known too.

        The parser around this one, which would complain of them, has other options.
        """
        args = sys.argv[1:] if args is None else list(args)
        # before argparse misses what was misspelled
        self._refuse_unknown_options(args)
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unexpected argument {unknown[0]!r}")
        for rule in self._rules if self._is_complete(options) else ():
            try:
                rule(options)
            except ValueError as error:
                self.error(str(error))
        return options, []

    def _is_complete(self, options: Options) -> bool:
        """Whether every option has a value: who asks what was typed has no defaults."""
        return all(
            hasattr(options, action.dest)
            for action in self._actions
            if action.dest not in ("help", "version")
        )

    def _refuse_unknown_options(self, arguments: Sequence[str]) -> None:
        known = [text for action in self._actions for text in action.option_strings]
        for argument in arguments:
            if argument == "--" or (self._subparsers is not None and argument[:1] != "-"):
                break  # what follows are no options, or another parser's
            option = argument.partition("=")[0]
            if _OPTION.fullmatch(argument) and option not in known:
                self.error(f"unknown option {option}.{did_you_mean(option, known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Like argparse's, which lists the choices and asks nothing back before Python 3.14."""
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(
                action, f"one of {', '.join(known)}; got {value!r}.{did_you_mean(value, known)}"
            )
