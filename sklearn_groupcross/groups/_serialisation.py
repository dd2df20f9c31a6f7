"""Groups as JSON, and back: what saved models and stores of orbits say of their group."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._description import order_from_json
from ._finite_group import FiniteGroup


def group_to_json(group: FiniteGroup) -> dict[str, Any]:
    """Describe a group by its family and arguments, in what JSON can hold.

    Parameters
    ----------
    group : FiniteGroup

    Returns
    -------
    description : dict
        With the keys ``family`` and ``arguments``; factors of a product are described likewise.

    Examples
    --------
    >>> from sklearn_groupcross.groups import Cyclic, Dihedral, group_from_json, group_to_json
    >>> group_to_json(Dihedral(4))
    {'family': 'Dihedral', 'arguments': [4]}
    >>> group_from_json(group_to_json(Cyclic(2) * Dihedral(3)))
    DirectProduct(Cyclic(2), Dihedral(3))
    """
    family, arguments = group.__reduce__()
    return {"family": family.__name__, "arguments": [_to_json(a) for a in arguments]}


def group_from_json(description: dict[str, Any]) -> FiniteGroup:
    """Build the group that `group_to_json` described.

    Its order is known before anything of it is built, and at most 1024.

    Raises
    ------
    ValueError
        If this version of the package knows no such family, or the family no such group.
    """
    order_from_json(description)
    return _build(description)


def group_to_saved_json(group: FiniteGroup) -> dict[str, Any]:
    """Describe a group that is to be saved: `group_from_json` is sure to read it again.

    Raises
    ------
    ValueError
        If the group is of a family of one's own.
    """
    description = group_to_json(group)
    try:
        is_known = group_from_json(description) == group
    except ValueError:
        is_known = False
    if not is_known:
        raise ValueError(
            f"{group!r} is of a family of groups that is not the package's, so that no file can "
            "say what it is. FiniteGroup(group.cayley_table) can be saved."
        )
    return description


def _build(description: dict[str, Any]) -> FiniteGroup:
    from .. import groups  # the families; they import this package's modules themselves

    family = getattr(groups, description["family"])
    arguments: list[Any] = [
        # factors of a product are groups themselves
        _build(argument) if isinstance(argument, dict) else argument
        for argument in description["arguments"]
    ]
    return family(*arguments)


def _to_json(argument: Any) -> Any:
    if isinstance(argument, FiniteGroup):
        return group_to_json(argument)
    if isinstance(argument, np.generic | np.ndarray):
        return argument.tolist()
    return argument
