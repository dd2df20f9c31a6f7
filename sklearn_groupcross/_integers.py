"""Whole numbers that users give."""

from __future__ import annotations

from numbers import Integral
from typing import Any


def check_integer(name: str, value: Any, least: int | None = None) -> int:
    """Return a whole number as a Python int: a fraction is not cut off, and True is not 1.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : int
    least : int, optional

    Raises
    ------
    TypeError
        If it is no whole number.
    ValueError
        If it is smaller than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is a whole number; got {value!r}.")
    if least is not None and value < least:
        raise ValueError(f"{name} is at least {least}; got {name}={value}.")
    return int(value)
