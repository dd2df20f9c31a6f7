"""What values options take: each is checked as it is read, before anything is imported.

A type is a function of the text that was typed. It returns the value, or says what was expected.
"""

from __future__ import annotations

import os
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from .._group_names import read_group_name
from .._network_names import check_network_name, names_code, read_code
from .._suggestions import did_you_mean
from .._urls import is_url
from ._endings import check_working_folder

#: Seeds that generators of numpy, torch and scikit-learn all take.
LARGEST_SEED = 2**32 - 1

# Those of torch that compute, and `auto`; others are made for tests, or hold no numbers.
_DEVICES = ("auto", "cpu", "cuda", "mps", "xpu", "hpu", "mtia", "npu", "xla")
# By these names results are known before anything is loaded that reads them.
_MODEL, _MANIFEST = "crosscoder.safetensors", "manifest.json"
# Longer ones are no number of anything.
_LONGEST = 18


def count(least: int = 1, most: int | None = None) -> Callable[[str], int]:
    """Type of a whole number in a range.

    Parameters
    ----------
    least : int, default=1
    most : int, optional

    Returns
    -------
    type : callable
    """
    range_ = f"of {least} or more" if most is None else f"from {least} to {most}"

    def whole_number(text: str) -> int:
        digits = text.strip()
        value = int(digits) if re.fullmatch(rf"[+-]?[0-9]{{1,{_LONGEST}}}", digits) else least - 1
        if value < least or (most is not None and value > most):
            raise ArgumentTypeError(f"an integer {range_}; got {text!r}")
        return value

    return whole_number


def number(
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    words: tuple[str, ...] = (),
) -> Callable[[str], float | str]:
    """Type of a finite number in a range.

    Parameters
    ----------
    above, least : float, optional
        It is larger than the one, or at least the other.
    below, most : float, optional
        It is smaller than the one, or at most the other.
    words : tuple of str
        Texts that are taken as they are, instead of a number.

    Returns
    -------
    type : callable
    """
    limits = {"above": above, "of at least": least, "below": below, "at most": most}
    ends = [f"{word} {limit:g}" for word, limit in limits.items() if limit is not None]
    *others, last = ("a number " + " and ".join(ends), *words)
    expected = f"{', '.join(others)} or {last}" if others else last

    def number_or_word(text: str) -> float | str:
        if text in words:
            return text
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        inside = (
            (above is None or value > above)
            and (least is None or value >= least)
            and (below is None or value < below)
            and (most is None or value <= most)
        )
        # no number is larger or smaller than nan
        if not inside or abs(value) == float("inf"):
            raise ArgumentTypeError(f"{expected}; got {text!r}.{did_you_mean(text, words)}")
        return value

    return number_or_word


def share_or_none(text: str) -> float | str | None:
    """Type of ``--compression``: a share, ``auto``, or ``none`` for None."""
    value = number(above=0, most=1, words=("auto", "none"))(text)
    return None if value == "none" else value


def share_of_damaged(text: str) -> float:
    """Type of ``--skip-damaged``."""
    try:
        return float(number(least=0, below=1)(text))
    except ArgumentTypeError as error:
        # an option whose value may be left out takes a word that follows it
        raise ArgumentTypeError(f"{error} Images come before this option.") from None


seed = count(0, LARGEST_SEED)


def group_name(text: str) -> str:
    """Type of ``--group``: the name, as it is written best."""
    try:
        return str(read_group_name(text))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def network_name(text: str) -> str:
    """Type of ``--network``: a name that is known, or where a function is that builds one."""
    try:
        if not names_code(text):
            check_network_name(text)
            return text
        code = read_code(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    if code.is_file:
        existing_file(code.place)
    else:
        _see_package(code.place.partition(".")[0])
    return text


def device_name(text: str) -> str:
    """Type of ``--device``. Whether it is there is known to torch alone."""
    kind, colon, index = text.partition(":")
    whole = re.fullmatch("[0-9]{1,4}", index) is not None if colon else True
    if kind not in _DEVICES or not whole or (kind == "auto" and colon):
        others = [name for name in _DEVICES if name != kind]
        raise ArgumentTypeError(
            f"auto, cpu, cuda or cuda:N, or another device of torch; got {text!r}."
            f"{did_you_mean(kind, others)}"
        )
    return text


def layer_name(text: str) -> str:
    """Type of ``--layer``: which there are the network will say."""
    if not text.strip():
        raise ArgumentTypeError(f"the name of a layer; got {text!r}")
    return text


def existing_path(text: str) -> str:
    """Type of what is read: a file or a folder."""
    if is_url(text):
        raise ArgumentTypeError(
            f"images are files and folders here, and so is the store of groupcross run; got "
            f"{text!r}. A store behind a URL is what groupcross fit and analyze take"
        )
    if not _exists(text):
        raise ArgumentTypeError(f"no such file or folder: {text!r}")
    return text


def existing_file(text: str) -> Path:
    """Type of a file to be read."""
    if not _exists(text):
        raise ArgumentTypeError(f"no such file: {text!r}")
    if os.path.isdir(text):
        raise ArgumentTypeError(f"a file is needed, and {text!r} is a folder")
    return Path(text)


def model_file(text: str) -> Path:
    """Type of a saved crosscoder."""
    if os.path.isdir(text):
        model = os.path.join(text, _MODEL)
        hint = "groupcross fit writes one"
        if os.path.exists(model):
            hint = f"{model} is one"
        elif is_of_store(text):
            hint = "it is a store of orbits, from which groupcross fit makes models"
        raise ArgumentTypeError(f"the file of a model is needed, and {text!r} is a folder: {hint}")
    return existing_file(text)


def store_folder(text: str) -> Path | str:
    """Type of a store of orbits: a folder, or a URL, which is not asked before it is needed."""
    if is_url(text):
        return text
    if not _exists(text):
        raise ArgumentTypeError(f"no such folder: {text!r}")
    if not is_of_store(text):
        what = "none" if os.path.isdir(text) else "a file"
        orbits = os.path.join(text, "orbits")
        hint = f"{orbits} is one" if is_of_store(orbits) else "groupcross extract makes one"
        raise ArgumentTypeError(f"a store of orbits is needed, and {text!r} is {what}: {hint}")
    return Path(text)


def is_of_store(path: str) -> bool:
    """Whether a folder has the manifest of a store, whatever is in it."""
    return os.path.exists(os.path.join(path, _MANIFEST))


def store_to_write(text: str) -> Path | str:
    """Type of a store to be written to: a folder, or a URL."""
    return text if is_url(text) else folder_to_write(text)


def folder_to_write(text: str) -> Path:
    """Type of a folder to be written to, which need not exist."""
    if is_url(text):
        raise ArgumentTypeError(f"results go to a folder here; got {text!r}")
    if not text or "\0" in text:
        raise ArgumentTypeError(f"the name of a folder; got {text!r}")
    path = Path(text)
    for place in (path, *path.parents):
        if os.path.exists(place):
            if not os.path.isdir(place):
                raise ArgumentTypeError(f"a folder is needed, and {str(place)!r} is a file")
            break
    return path


def _exists(path: str) -> bool:
    # of no name, and of one that holds a zero, there is no file
    if path and os.path.exists(path):
        return True
    check_working_folder()
    return False


def _see_package(name: str) -> None:
    """See that there is a module or package, without running it."""
    check_working_folder()
    here = PathFinder.find_spec(name, [os.getcwd()])
    if here is None and find_spec(name) is None:
        raise ArgumentTypeError(
            f"no module {name!r}: there is none in {os.getcwd()}, and none installed"
        )
