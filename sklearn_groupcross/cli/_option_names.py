"""Options and the parameters that they set: what goes wrong later names what was typed."""

from __future__ import annotations

import re
import shlex
from argparse import Namespace
from functools import partial

#: Parameters in Python of options that are called otherwise, by the name in the namespace.
PARAMETERS = {
    "epochs": "max_epochs",
    "features": "n_features",
    "jobs": "n_jobs",
    "no_augment": "augment",
    "positions": "n_positions",
    "seed": "random_state",
}


def in_options(text: str, options: Namespace) -> str:
    """Name options in a message that names parameters.

    Parameters
    ----------
    text : str
        As it is raised by what knows no command line.
    options : Namespace
        Of the command. What is no option of it keeps its name.

    Returns
    -------
    text : str

    Examples
    --------
    >>> text = "k=13 codes cannot be active in a dictionary of n_features=12."
    >>> in_options(text, Namespace(k=13, features=12))
    '--k 13 codes cannot be active in a dictionary of --features 12.'
    """
    if hasattr(options, "no_augment"):  # the option says the opposite
        text = text.replace("augment=True", "training without --no-augment")
    for name in vars(options):
        option = f"--{name.replace('_', '-')}"
        parameter = PARAMETERS.get(name, name)
        text = re.sub(rf"The '{parameter}' parameter of \w+", option, text)
        text = text.replace(f"metadata[{parameter!r}]", option)  # of a store
        # not in a call that a message shows, such as Network(..., input_size=96)
        text = re.sub(
            rf"(?<![\w(])(?<!\.\.\., ){parameter}=('[^']*'|\"[^\"]*\"|[\w.+-]*\w|)",
            partial(_with_value, option),
            text,
        )
        # others are ordinary words
        if "_" in parameter:
            text = re.sub(rf"`?\b{parameter}\b(?![(=])`?", option, text)
    return text


def _with_value(option: str, found: re.Match[str]) -> str:
    value = found[1]
    # of flags, which take none
    if value in ("", "True", "False"):
        return option
    return f"{option} {shlex.quote(value.strip(chr(39) + chr(34)))}"
