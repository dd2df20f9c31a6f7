"""Names of the networks that `load_network` knows: what is known before one is loaded.

The command line reads names before torch is imported.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from ._suggestions import did_you_mean


class NamedNetwork(NamedTuple):
    """A network with a name.

    Attributes
    ----------
    what : str
        In a few words.
    needs_weights : bool
        Whether it has no weights of its own: a file of them must be given.
    """

    what: str
    needs_weights: bool = False


#: By name, in the order in which they are listed.
NAMED_NETWORKS = {
    "bundled": NamedNetwork("a small one that ships with the package"),
    "inceptionv1": NamedNetwork("lucid's InceptionV1, downloaded once"),
    "googlenet": NamedNetwork("torchvision's, downloaded once"),
    "bvlc_googlenet": NamedNetwork("the Caffe model, which needs weights", needs_weights=True),
}


#: How a network of one's own is named.
HOW_TO_NAME = "FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION, of a function that returns it"


class Code(NamedTuple):
    """Where a function is that builds a network.

    Attributes
    ----------
    place : str
        A file, or the name of a module.
    function : str
        Its name there, with dots if it is in a class.
    is_file : bool
    """

    place: str
    function: str
    is_file: bool


def names_code(name: str) -> bool:
    """Whether a network's name says where a function is that builds it."""
    return ":" in name


def read_code(name: str) -> Code:
    """Read where a function is that builds a network.

    Raises
    ------
    ValueError
        If the name says no such thing.

    Examples
    --------
    >>> read_code("models/mine.py:build")
    Code(place='models/mine.py', function='build', is_file=True)
    """
    # a path of Windows has a colon of its own
    place, _, function = name.rpartition(":")
    is_file = place.endswith(".py") or any(sign in place for sign in ("/", os.sep))
    names = [*function.split("."), *(() if is_file else place.split("."))]
    if not all(part.isidentifier() for part in names):
        raise ValueError(f"A network of one's own is named {HOW_TO_NAME}; got {name!r}.")
    return Code(place, function, is_file)


def check_network_name(name: str) -> None:
    """See that a network is known.

    Raises
    ------
    ValueError
        If it is not.
    """
    if name not in NAMED_NETWORKS:
        raise ValueError(
            f"Unknown network {name!r}; the known ones are {', '.join(NAMED_NETWORKS)}."
            f" One of your own is named {HOW_TO_NAME}.{did_you_mean(name, NAMED_NETWORKS)}"
        )
