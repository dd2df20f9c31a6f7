"""Groups whose elements have names of their own: what an action calls what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._arguments import Factor
from ._finite_group import FiniteGroup
from ._irreps import Irrep

_IDENTITY, _LONGEST_NAME = "identity", 100


class NamedGroup(FiniteGroup):
    """A group with names of one's own for its elements; `FiniteGroup.named` makes one.

    A cyclic group may turn pictures, shift signals or turn hues: its table does not say which, and
    its own words are those of turns. An action gives its group the names of what it does.
    Names are for people. The group equals the one without them, has the same irreps, and is shown
    like it; stores of orbits and models keep them, and whatever is put into words afterwards,
    symmetries, poses and kinds, has them.

    Parameters
    ----------
    group : FiniteGroup
    names : sequence of str, of length order
        The first is ``"identity"``; all are different.

    Raises
    ------
    ValueError
        If these are no such names.

    Examples
    --------
    >>> from sklearn_groupcross import Cyclic
    >>> group = Cyclic(4).named(["identity", "spring", "summer", "autumn"])
    >>> group, group == Cyclic(4), group.describe_element(3), group.subgroups()[1].name
    (Cyclic(4), True, 'autumn', 'C2: summer')
    """

    def __init__(self, group: FiniteGroup, names: Sequence[str]) -> None:
        if problem := _problem_of(names, group.order):
            raise ValueError(f"Names of the elements of {group!r}: {problem}.")
        self._group, self._names = group.unnamed, tuple(names)
        super().__init__(self._group.cayley_table)

    @property
    def unnamed(self) -> FiniteGroup:
        """The group without these names."""
        return self._group

    @property
    def is_named(self) -> bool:
        """True."""
        return True

    def _init_args(self) -> tuple[Any, ...]:
        return self._group, list(self._names)

    @classmethod
    def _count_elements(cls, arguments: list[Any]) -> int | None:
        match arguments:
            case [Factor(order), list(names)] if not _problem_of(names, order):
                return order
        return None

    def __repr__(self) -> str:
        return repr(self._group)  # which evaluates to an equal group

    def _find_irreps(self) -> list[Irrep]:
        return [Irrep(self, irrep.name, irrep.matrices) for irrep in self._group.irreps]

    def element_name(self, element: int) -> str:
        """Return the symbol of an element, as the group without names has it.

        Parameters
        ----------
        element : int

        Returns
        -------
        name : str
        """
        return self._group.element_name(element)

    def describe_element(self, element: int) -> str:
        """Return an element's name.

        Parameters
        ----------
        element : int

        Returns
        -------
        words : str
        """
        return self._names[self._check_element(element)]


def with_names(group: FiniteGroup, other: Any) -> FiniteGroup:
    """Return the one of two equal groups whose elements have names of their own.

    Parameters
    ----------
    group : FiniteGroup
        Taken unless it has none.
    other : object
        Left alone if it is no group, or another one.

    Returns
    -------
    group : FiniteGroup
    """
    takes_other = not group.is_named and isinstance(other, FiniteGroup) and other.is_named
    return other if takes_other and other == group else group


def _problem_of(names: Sequence[Any], order: int) -> str:
    """Say why these are no names of so many elements; empty if they are."""
    if isinstance(names, str) or len(names) != order:
        return f"a list of {order} is expected, one for each"
    for name in names:
        is_text = isinstance(name, str) and name.strip() == name and name.isprintable()
        if not is_text or not 1 <= len(name) <= _LONGEST_NAME:
            return f"each is a printable text of 1 to {_LONGEST_NAME} characters"
    if names[0] != _IDENTITY:
        return f"element 0 is {_IDENTITY!r}; got {names[0]!r}"
    return "" if len(set(names)) == order else "two elements have the same"
