"""Text from outside as a terminal, a page or a file of UTF-8 can show it."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    r"""Replace every character that cannot be seen by its escape sequence, such as ``\u001b``.

    Names of files may hold codes that move a terminal's cursor or change its colours, marks that
    turn the direction of what follows, and bytes that are no text. All of them are what `repr`
    escapes as well; the form is that of JSON.

    Parameters
    ----------
    text : str
    keep : str
        Characters that stay what they are, such as the ends of lines.

    Examples
    --------
    >>> print(printable("a\x1b[31m b\udcff c°"))
    a\u001b[31m b\udcff c°
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else escaped(c) for c in text)


def escaped(character: str) -> str:
    """Escape sequence of a character, in the form of JSON."""
    # pairs of surrogates, as JSON has them beyond 16 bits
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
