"""What JSON says of a group, checked before anything is built of it."""

from __future__ import annotations

from math import factorial
from typing import Any

from ._validation import MAX_ORDER

_FAMILIES = {
    "Alternating",
    "Cyclic",
    "Dihedral",
    "DirectProduct",
    "FiniteGroup",
    "Quaternion",
    "RotationGroup",
    "SemidirectProduct",
    "Symmetric",
    "Trivial",
}
_SOLIDS = {"tetrahedral": 12, "octahedral": 24, "icosahedral": 60}
# Only factors of one element are left in deeper products.
_DEEPEST = 32
_LONGEST_SHOWN = 60


def order_from_json(description: Any) -> int:
    """Order of a group that `group_to_json` described, without building it.

    Parameters
    ----------
    description : dict

    Returns
    -------
    order : int
        At most 1024.

    Raises
    ------
    ValueError
        If it describes no group, or one that is not supported. Whether tables and actions of the
        right shape are those of a group shows only when it is built.

    Examples
    --------
    >>> from sklearn_groupcross.groups import order_from_json
    >>> order_from_json({"family": "Dihedral", "arguments": [4]})
    8
    """
    return _check(description, 0)


def _check(description: Any, depth: int) -> int:
    """Order of a group within so many products."""
    if not isinstance(description, dict) or description.keys() != {"family", "arguments"}:
        raise ValueError(
            "A group is described by its 'family' and its 'arguments'; got "
            f"{_shorten(description)}."
        )
    family, arguments = description["family"], description["arguments"]
    if not isinstance(family, str) or family not in _FAMILIES:
        raise ValueError(f"Unknown family of groups: {_shorten(family)}.")
    if depth > _DEEPEST:
        raise ValueError(f"Products of groups are nested more than {_DEEPEST} deep.")
    order = _order(family, arguments, depth)
    if order is None:
        raise ValueError(f"There is no group {family} with the arguments {_shorten(arguments)}.")
    if order > MAX_ORDER:
        raise ValueError(
            f"Groups of at most {MAX_ORDER} elements are supported; {family} with the arguments "
            f"{_shorten(arguments)} has more."
        )
    return order


def _order(family: str, arguments: Any, depth: int) -> int | None:
    """Order by the family's formula; None if these are no arguments of it."""
    match family, arguments:
        case "Trivial", []:
            return 1
        case "Quaternion", []:
            return 8
        case "Cyclic", [n] if _is_whole(n, 1):
            return n
        case "Dihedral", [n] if _is_whole(n, 1):
            return 2 * n
        case "Symmetric", [n] if _is_whole(n, 1, 6):
            return factorial(n)
        case "Alternating", [n] if _is_whole(n, 1, 6):
            return max(1, factorial(n) // 2)
        case "RotationGroup", [str(solid)]:
            return _SOLIDS.get(solid)
        case "FiniteGroup", [list(table)] if _is_table(table, len(table), len(table)):
            return len(table)
        case "DirectProduct", [left, right]:
            return _check(left, depth + 1) * _check(right, depth + 1)
        case "SemidirectProduct", [normal, acting, list(action)]:
            n, m = _check(normal, depth + 1), _check(acting, depth + 1)
            return n * m if _is_table(action, m, n) else None
    return None


def _is_whole(value: Any, least: int, most: int | None = None) -> bool:
    return type(value) is int and value >= least and (most is None or value <= most)


def _is_table(rows: list[Any], n_rows: int, n_columns: int) -> bool:
    """Whether these are rows of numbers from 0 to below `n_columns`."""
    return len(rows) == n_rows > 0 and all(
        isinstance(row, list)
        and len(row) == n_columns
        and all(_is_whole(value, 0, n_columns - 1) for value in row)
        for row in rows
    )


def _shorten(value: Any) -> str:
    """Show a value of any size, nested however deeply, in few letters."""
    if isinstance(value, dict):
        return f"an object of {len(value)} entries"
    if isinstance(value, list) and not all(type(each) in (int, str) for each in value[:9]):
        return f"a list of {len(value)} entries"
    if isinstance(value, list):
        return f"[{', '.join(map(_shorten, value[:9]))}{', …' * (len(value) > 9)}]"
    if isinstance(value, int) and abs(value) >= 10**_LONGEST_SHOWN:
        return "a huge number"  # too long a one to be written out
    return repr(value[:_LONGEST_SHOWN] if isinstance(value, str) else value)
