"""The group that a parameter stands for: it may be the group, its name, or left out."""

from __future__ import annotations

from ._finite_group import FiniteGroup
from ._planar import Trivial, parse_group


def as_group(value: FiniteGroup | str | None) -> FiniteGroup:
    """Resolve a parameter ``group``.

    Parameters
    ----------
    value : FiniteGroup, str or None
        A text is read as `parse_group` does, ``"dihedral:4"`` for example. None stands for
        `Trivial`: nothing is moved.

    Returns
    -------
    group : FiniteGroup

    Raises
    ------
    ValueError
        If a text names no group, or one of more than 1024 elements.
    TypeError
        If the value is something else.

    Examples
    --------
    >>> from sklearn_groupcross.groups import Cyclic, as_group
    >>> as_group("dihedral:4"), as_group(Cyclic(3)), as_group(None)
    (Dihedral(4), Cyclic(3), Trivial())
    """
    if value is None:
        return Trivial()
    if isinstance(value, str):
        return parse_group(value)
    if isinstance(value, FiniteGroup):
        return value
    raise TypeError(
        "group must be a FiniteGroup, such as Dihedral(4) of sklearn_groupcross, a name, such as "
        f"'dihedral:4', or None; got {value!r}."
    )
