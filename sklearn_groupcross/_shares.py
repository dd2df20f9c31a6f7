"""Shares and cosines that users give."""

from __future__ import annotations

from numbers import Real
from typing import Any


def check_share(name: str, value: Any, what: str) -> float:
    """Return a number in (0, 1] as a Python float: True is not 1.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : float
    what : str
        What it is, for the message, such as ``"a cosine"``.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it is out of range, or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {what}, a number in (0, 1]; got {value!r}.")
    number = float(value)
    if not 0 < number <= 1:
        raise ValueError(f"{name} is {what} in (0, 1]; got {value}.")
    return number
