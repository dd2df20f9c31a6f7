"""What JSON may hold as arguments of a family of groups."""

from __future__ import annotations

from typing import Any, NamedTuple


class Factor(NamedTuple):
    """A group among the arguments, of which the order is known and nothing is built."""

    order: int


def is_whole(value: Any, least: int, most: int | None = None) -> bool:
    """Whether it is a whole number within bounds, and not true or false."""
    return type(value) is int and value >= least and (most is None or value <= most)


def is_table(rows: list[Any], n_rows: int, n_columns: int) -> bool:
    """Whether these are rows of numbers from 0 to below `n_columns`."""
    return len(rows) == n_rows > 0 and all(
        isinstance(row, list)
        and len(row) == n_columns
        and all(is_whole(value, 0, n_columns - 1) for value in row)
        for row in rows
    )
