"""`FiniteGroup`: a group as its Cayley table."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ._validation import IntArray, check_cayley_table, closure

if TYPE_CHECKING:
    from ._stabilizer import Stabilizer
    from ._subgroup import Subgroup


class FiniteGroup:
    """A finite group over the elements ``0 ... order - 1``; element 0 is the identity.

    Parameters
    ----------
    cayley_table : array-like of shape (order, order)
        ``cayley_table[i, j]`` is the index of ``g_i g_j`` (apply ``g_j`` first). It is copied and
        checked: closure, identity, inverses, associativity.

    Raises
    ------
    ValueError
        If the table is not that of a group; the message names the elements at fault.

    Examples
    --------
    >>> from sklearn_groupcross.groups import FiniteGroup
    >>> klein = FiniteGroup([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
    >>> klein.order, klein.inverse(3), klein.is_abelian
    (4, 3, True)
    """

    def __init__(self, cayley_table: ArrayLike) -> None:
        self._table = check_cayley_table(cayley_table)

    # --- identity as a value -------------------------------------------------------------------

    def _init_args(self) -> tuple[Any, ...]:
        """Arguments that build an equal group; families override it."""
        return (self._table.tolist(),)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._init_args()))})"

    def __eq__(self, other: object) -> bool:
        # The type counts: Cyclic(2) and Dihedral(1) share a table but act on images differently.
        if not isinstance(other, FiniteGroup):
            return NotImplemented
        return type(self) is type(other) and np.array_equal(self._table, other._table)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._table.tobytes()))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._init_args()

    def __copy__(self) -> FiniteGroup:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FiniteGroup:
        return self  # immutable: scikit-learn's clone may share it

    # --- structure -----------------------------------------------------------------------------

    @property
    def order(self) -> int:
        """Number of elements, |G|."""
        return len(self._table)

    @property
    def identity(self) -> int:
        """Index of the identity element: always 0."""
        return 0

    @property
    def cayley_table(self) -> IntArray:
        """Read-only array of shape (order, order): ``cayley_table[i, j]`` is ``g_i g_j``."""
        return self._table

    @cached_property
    def inverses(self) -> IntArray:
        """Array of shape (order,): the index of the inverse of every element."""
        inverses = np.argmin(self._table, axis=1)  # the identity, 0, stands once in every row
        inverses.setflags(write=False)
        return inverses

    def inverse(self, element: int) -> int:
        """Index of the inverse of `element`."""
        return int(self.inverses[self._check_element(element)])

    def multiply(self, left: int, right: int) -> int:
        """Index of the product ``left right`` (apply `right` first)."""
        return int(self._table[self._check_element(left), self._check_element(right)])

    @cached_property
    def is_abelian(self) -> bool:
        """Whether the order of multiplication never matters."""
        return bool(np.array_equal(self._table, self._table.T))

    def order_of(self, element: int) -> int:
        """Smallest k >= 1 with ``element**k`` the identity."""
        element = self._check_element(element)
        power, k = element, 1
        while power:
            power, k = int(self._table[power, element]), k + 1
        return k

    def conjugacy_classes(self) -> tuple[tuple[int, ...], ...]:
        """Conjugacy classes, each sorted, in the order of their smallest element."""
        conjugates = self._table[self._table, self.inverses[:, None]]  # [g, x] -> g x g⁻¹
        classes = {tuple(np.unique(conjugates[:, x]).tolist()) for x in range(self.order)}
        return tuple(sorted(classes))

    # --- subgroups -----------------------------------------------------------------------------

    def generated_subgroup(self, generators: Iterable[int]) -> Subgroup:
        """Smallest subgroup that holds all `generators`."""
        from ._subgroup import Subgroup

        reached = closure(self._table, [self._check_element(g) for g in generators])
        return Subgroup(self, tuple(np.flatnonzero(reached).tolist()))

    def subgroups(self) -> tuple[Subgroup, ...]:
        """Every subgroup, by order and then by elements.

        Raises
        ------
        ValueError
            If the group has more than 128 elements: the number of subgroups may be astronomical.
        """
        return self._subgroups

    @cached_property
    def _subgroups(self) -> tuple[Subgroup, ...]:
        from ._subgroup import all_subgroups

        return all_subgroups(self)

    def stabilizer(self, profile: ArrayLike, threshold: float = 0.8) -> Stabilizer:
        """Return the largest subgroup under which a self-profile stays above `threshold`.

        Parameters
        ----------
        profile : array-like of shape (order,)
            ``profile[h]``: similarity of a feature with its own translate by ``h``, 1 at h = 0.
        threshold : float, default=0.8
            See `find_stabilizers`.

        Returns
        -------
        stabilizer : Stabilizer
        """
        from ._stabilizer import find_stabilizers

        return find_stabilizers(self, np.asarray(profile)[None], threshold)[0]

    # --- action on blocks ----------------------------------------------------------------------

    def right_translation(self, h: int) -> IntArray:
        """Return the permutation of blocks that carries the orbit of x to the orbit of h·x.

        ``(R_h O)[g] = O[g h]``, that is ``orbits[:, group.right_translation(h)]``; and
        ``R_h R_k = R_hk``.

        Parameters
        ----------
        h : int
            Index of a group element.

        Returns
        -------
        permutation : ndarray of shape (order,), dtype int64
        """
        return self._table[:, self._check_element(h)]

    # --- names for people ----------------------------------------------------------------------

    def element_name(self, element: int) -> str:
        """Return the symbol of an element, such as ``"ρ^3 σ"``."""
        element = self._check_element(element)
        return "e" if element == 0 else f"g{element}"

    def describe_element(self, element: int) -> str:
        """Say in words what an element does, such as ``"turn 33.75°, mirrored"``."""
        return self.element_name(element)

    def describe_subgroup(self, subgroup: Subgroup) -> str:
        """Say what a subgroup is: its class and its generators."""
        if subgroup.order == 1:
            return "C1: none"
        generators = ", ".join(self.describe_element(g) for g in subgroup.generators)
        return f"order {subgroup.order}: {generators}"

    # --- helpers -------------------------------------------------------------------------------

    def _check_element(self, element: int) -> int:
        index = int(element)
        if index != element or not 0 <= index < self.order:
            raise ValueError(f"{self!r} has elements 0 to {self.order - 1}; got {element!r}.")
        return index
