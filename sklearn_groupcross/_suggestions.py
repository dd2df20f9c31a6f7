"""What somebody may have meant by a word that is unknown."""

from __future__ import annotations

from collections.abc import Iterable

# Below this, words are no more alike than any two.
_ALIKE = 0.6


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Question to end a message with: the known word that is nearest, if any is near.

    Parameters
    ----------
    word : str
        What was given.
    known : iterable of str

    Returns
    -------
    question : str
        With a space before it; empty where nothing is near.

    Examples
    --------
    >>> did_you_mean("dihedrl", ["trivial", "cyclic", "dihedral"])
    ' Did you mean dihedral?'
    >>> did_you_mean("icosahedral", ["trivial", "cyclic"])
    ''
    """
    # imported where something is wrong already
    from difflib import get_close_matches

    # of lower case: a name in capitals is as near as can be
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_lower, n=1, cutoff=_ALIKE)
    return f" Did you mean {by_lower[near[0]]}?" if near else ""
