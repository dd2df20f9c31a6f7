"""Groups as JSON, and back: what saved models and stores of orbits say of their group."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._group_names import MAX_ORDER
from ._arguments import Factor
from ._families import Alternating, DirectProduct, Quaternion, SemidirectProduct, Symmetric
from ._finite_group import FiniteGroup
from ._named import NamedGroup
from ._planar import Cyclic, Dihedral, Trivial
from ._polyhedral import RotationGroup

#: Families that files may name. What an order is made of stands with each family.
_FAMILIES: dict[str, type[FiniteGroup]] = {
    family.__name__: family
    for family in (
        Alternating,
        Cyclic,
        Dihedral,
        DirectProduct,
        FiniteGroup,
        NamedGroup,
        Quaternion,
        RotationGroup,
        SemidirectProduct,
        Symmetric,
        Trivial,
    )
}
# Only factors of one element are left in deeper products.
_DEEPEST = 32
_LONGEST_SHOWN = 60


def group_to_json(group: FiniteGroup) -> dict[str, Any]:
    """Describe a group by its family and arguments, in what JSON can hold.

    Parameters
    ----------
    group : FiniteGroup

    Returns
    -------
    description : dict
        With the keys ``family`` and ``arguments``; factors of a product are described likewise.

    Raises
    ------
    ValueError
        If it, or a factor, is of a family of one's own, which `group_from_json` does not know.

    Examples
    --------
    >>> from sklearn_groupcross.groups import Cyclic, Dihedral, group_from_json, group_to_json
    >>> group_to_json(Dihedral(4))
    {'family': 'Dihedral', 'arguments': [4]}
    >>> group_from_json(group_to_json(Cyclic(2) * Dihedral(3)))
    DirectProduct(Cyclic(2), Dihedral(3))
    """
    family, arguments = type(group), group._init_args()
    if _FAMILIES.get(family.__name__) is not family:
        raise ValueError(
            f"{group!r} is of a family of groups that is not the package's, so that no file can "
            "say what it is. FiniteGroup(group.cayley_table) can be saved."
        )
    return {"family": family.__name__, "arguments": [_to_json(a) for a in arguments]}


def group_from_json(description: dict[str, Any]) -> FiniteGroup:
    """Build the group that `group_to_json` described.

    Its order is known before anything of it is built, and at most 1024.

    Parameters
    ----------
    description : dict
        Of numbers, strings and lists, as JSON has them.

    Returns
    -------
    group : FiniteGroup

    Raises
    ------
    ValueError
        If this version of the package knows no such family, or the family no such group.
    """
    order_from_json(description)
    return _build(description)


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
    return _count_elements(description, 0)


def _count_elements(description: Any, depth: int) -> int:
    """Order of a group within so many products."""
    if not isinstance(description, dict) or description.keys() != {"family", "arguments"}:
        raise ValueError(
            "A group is described by its 'family' and its 'arguments'; got "
            f"{_shorten(description)}."
        )
    name, arguments = description["family"], description["arguments"]
    if not isinstance(name, str) or name not in _FAMILIES:
        raise ValueError(f"Unknown family of groups: {_shorten(name)}.")
    if depth > _DEEPEST:
        raise ValueError(f"Products of groups are nested more than {_DEEPEST} deep.")
    order = None
    if isinstance(arguments, list):
        order = _FAMILIES[name]._count_elements(
            [
                Factor(_count_elements(each, depth + 1)) if isinstance(each, dict) else each
                for each in arguments
            ]
        )
    if order is None:
        raise ValueError(f"There is no group {name} with the arguments {_shorten(arguments)}.")
    if order > MAX_ORDER:
        raise ValueError(
            f"Groups of at most {MAX_ORDER} elements are supported; {name} with the arguments "
            f"{_shorten(arguments)} has more."
        )
    return order


def _build(description: dict[str, Any]) -> FiniteGroup:
    arguments: list[Any] = [
        # factors of a product are groups themselves
        _build(argument) if isinstance(argument, dict) else argument
        for argument in description["arguments"]
    ]
    return _FAMILIES[description["family"]](*arguments)


def _to_json(argument: Any) -> Any:
    if isinstance(argument, FiniteGroup):
        return group_to_json(argument)
    if isinstance(argument, np.generic | np.ndarray):
        return argument.tolist()
    return argument


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
