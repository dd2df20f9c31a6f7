"""Networks of one's own: a function in a file or a package builds one, and its code runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

import torch
from torch import nn

from .._network_names import HOW_TO_NAME, read_code
from ._code_place import CodePlace
from ._network import Network

_PACKAGE = str(Path(__file__).parents[1])


def build_network(name: str) -> Network:
    """Run the function that a name says.

    What it draws from torch's generator is the same every time, and the host's stays where it was.

    Parameters
    ----------
    name : str
        ``FILE.py:FUNCTION`` or ``PACKAGE.MODULE:FUNCTION``.

    Returns
    -------
    network : Network
        What the function returned, or around the module that it did.

    Raises
    ------
    FileNotFoundError, ImportError
        If there is no such file or module.
    ValueError
        If it has no such function, or that returns something else; or if the code raises: the
        message says what, in which line.
    """
    place, function, is_file = read_code(name)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        where, module = _import_file(Path(place)) if is_file else _import_module(place)
        built = _call(_attribute(module, function, place), f"{function}() of {place}", module)
    if isinstance(built, nn.Module):
        built = Network(built, name=f"{Path(place).name}:{function}")
    if not isinstance(built, Network):
        raise ValueError(
            f"{function}() of {place} returned an object of type {type(built).__name__}; it is to "
            "return a torch.nn.Module, or a Network, which says how images are preprocessed."
        )
    built._code_place = where
    return built


def _attribute(module: ModuleType, function: str, place: str) -> Any:
    try:
        return attrgetter(function)(module)
    except AttributeError:
        own = [name for name, value in vars(module).items() if _is_made_in(value, module)]
        has = f" It has {', '.join(own[:5])}." if own else ""
        raise ValueError(f"{place} has no function {function!r}.{has}") from None


def _call(build: Any, what: str, module: ModuleType) -> Any:
    if isinstance(build, nn.Module | Network):
        return build
    if not callable(build):
        raise ValueError(f"{what} is no function, but {build!r:.80}.")
    with _in_one_line(what, module.__file__):
        torch.default_generator.manual_seed(0)
        return build()


def _import_file(path: Path) -> tuple[CodePlace, ModuleType]:
    """Run a file, its folder on the path as for ``python FILE.py``."""
    if not path.is_file():
        raise FileNotFoundError(
            f"No file {path} to take a network from; the current folder is {os.getcwd()}."
        )
    path = path.resolve()
    with _in_one_line(str(path), str(path)):
        place = CodePlace(path.parent, path)
    return place, place.module


def _import_module(name: str) -> tuple[CodePlace, ModuleType]:
    """Import a module, the current folder on the path as for ``python -m MODULE``."""
    where = CodePlace(Path.cwd())
    try:
        with _in_one_line(name, None):
            return where, import_module(name)
    except ValueError as error:
        missing = error.__cause__
        if isinstance(missing, ModuleNotFoundError) and f"{name}.".startswith(f"{missing.name}."):
            raise ModuleNotFoundError(
                f"No module {missing.name!r}: there is none in {os.getcwd()}, and none installed. "
                f"A network is a known name, or {HOW_TO_NAME}.",
                name=missing.name,
            ) from None
        raise


def _is_made_in(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


@contextmanager
def _in_one_line(what: str, file: str | None) -> Iterator[None]:
    """Say what somebody's code has raised, and where.

    Raises
    ------
    ValueError
        From what it raised.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        reason = " ".join([f"{type(error).__name__}:", *str(error).split()]).removesuffix(":")
        raise ValueError(f"{what} failed{_line_of(error, file)}: {reason}") from error


def _line_of(error: BaseException, file: str | None) -> str:
    """Last line of a file that an error came through, or of any that is not ours."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {error.filename}, line {error.lineno}"
    frames = [
        frame
        for frame in extract_tb(error.__traceback__)
        if not frame.filename.startswith((_PACKAGE, "<frozen importlib"))
    ]
    within = [frame for frame in frames if file is not None and frame.filename == file]
    if not frames:
        return ""
    last = (within or frames)[-1]
    return f" at {last.filename}, line {last.lineno}"
