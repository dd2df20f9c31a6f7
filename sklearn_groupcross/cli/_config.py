"""``--config``: a record of a run as options of the next."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ._parsing import WrongCall
from ._record import SECTIONS, SOURCES, STORE, read_record

# Of which only one may be given.
_EXCLUSIVE = {"k": "l1", "l1": "k"}
# Where another option is typed, a hash is one of something else.
_HASHED = {
    "images": ("images", "n_images", "seed"),
    "network": ("network", "weights", "layer", "precision"),
    "orbits": ("images",),
}


def parse(
    make_parser: Callable[[], argparse.ArgumentParser], arguments: Sequence[str]
) -> argparse.Namespace:
    """Parse arguments; what a record says and nobody typed comes from the record.

    Parameters
    ----------
    make_parser : callable
    arguments : sequence of str

    Returns
    -------
    options : Namespace
        Also `typed_command`, the arguments; `typed`, names of the options among them; and
        `recorded`, the record without what other options make void.

    Raises
    ------
    ValueError
        If the record is none, or its sections disagree.
    OSError
        If it cannot be read.
    """
    given = list(arguments)
    options = make_parser().parse_args(given)
    options.typed_command = given
    options.typed, options.recorded = _typed(make_parser(), given), {}
    config = getattr(options, "config", None)
    if config is None:
        return options
    record = read_record(Path(config))
    added, sources = _as_arguments(record, options.typed, config)
    command, *rest = given
    try:
        parsed = make_parser().parse_args([command, *added, *rest, *sources])
    except WrongCall as error:
        raise WrongCall(error.program, f"{error} (with what {config} says)") from error
    parsed.typed_command, parsed.typed = given, options.typed
    hashes = {
        name: value
        for name, value in record.get("hashes", {}).items()
        if not options.typed.intersection(_HASHED.get(name, ()))
    }
    parsed.recorded = {"hashes": hashes, "versions": record.get("versions", {}), "path": config}
    return parsed


def _typed(parser: argparse.ArgumentParser, given: list[str]) -> set[str]:
    """Names of the options that were typed."""
    _suppress_defaults(parser)
    return set(vars(parser.parse_args(given)))


def _suppress_defaults(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                _suppress_defaults(sub)
        elif action.default is not argparse.SUPPRESS:
            action.default = argparse.SUPPRESS


def _as_arguments(
    record: dict[str, Any], typed: set[str], path: str
) -> tuple[list[str], list[str]]:
    """Options that nobody typed, and what to read."""
    stored = record.get("fit", {}).get(STORE)
    sections = [name for name in SECTIONS if name != "extract" or stored is None]
    settings: dict[str, Any] = {}
    for section in sections:
        for name in SECTIONS[section]:
            value = record.get(section, {}).get(name)
            if value is None or name in typed or _EXCLUSIVE.get(name) in typed:
                continue
            if settings.setdefault(name, value) != value:
                raise ValueError(
                    f"{path}: {name} is {settings[name]!r} and {value!r}, and run has one "
                    f"--{name}: give it."
                )
    arguments = []
    for name, value in settings.items():
        option = f"--{name.replace('_', '-')}"
        for each in value if isinstance(value, list) else [value]:
            if each is True:
                arguments.append(option)
            elif each is not False:
                arguments.append(f"{option}={each}")
    if SOURCES in typed:
        return arguments, []
    sources = record.get("extract", {}).get(SOURCES) if stored is None else [stored]
    if not isinstance(sources, list) or not sources:
        raise ValueError(
            f"{path} names no images and no store, as that of a demo: name what is to be read."
        )
    return arguments, ["--", *map(str, sources)]
