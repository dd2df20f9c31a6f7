"""`FiniteGroup`: a group as its Cayley table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arguments import is_table
from ._construction import table_from_matrices, table_from_permutations
from ._irreps import Irrep, checked, split_regular
from ._isomorphism import isomorphism_type
from ._notebook import group_html
from ._stabilizer import Stabilizer, find_stabilizers
from ._subgroup import Subgroup, all_subgroups, check_nameable
from ._validation import IntArray, check_cayley_table, closure, element_orders


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

    @classmethod
    def from_cayley_table(cls, cayley_table: ArrayLike) -> FiniteGroup:
        """Build a group from its Cayley table: the same as ``FiniteGroup(cayley_table)``.

        Parameters
        ----------
        cayley_table : array-like of shape (order, order)

        Returns
        -------
        group : FiniteGroup
        """
        return FiniteGroup(cayley_table)

    @classmethod
    def from_permutations(cls, *generators: Sequence[int]) -> FiniteGroup:
        """Build the group that permutations of ``0 ... n-1`` generate; ``(p q)(i) = p(q(i))``.

        Parameters
        ----------
        *generators : sequence of int
            ``generator[i]`` is where i goes.

        Raises
        ------
        ValueError
            If a generator is not a permutation, or they generate more than 1024 elements.

        Examples
        --------
        >>> from sklearn_groupcross.groups import FiniteGroup
        >>> FiniteGroup.from_permutations((1, 2, 0, 3), (1, 0, 3, 2)).order
        12
        """
        return FiniteGroup(table_from_permutations(generators)[0])

    @classmethod
    def from_matrices(cls, *generators: ArrayLike, tolerance: float = 1e-8) -> FiniteGroup:
        """Build the group that invertible matrices generate.

        Parameters
        ----------
        *generators : array-like of shape (n, n)
            Real or complex.
        tolerance : float, default=1e-8
            Matrices whose entries differ by no more are one element.

        Raises
        ------
        ValueError
            If a generator is singular, or the products do not close within 1024 elements.
        """
        return FiniteGroup(table_from_matrices(generators, tolerance)[0])

    def __mul__(self, other: FiniteGroup) -> FiniteGroup:
        from ._families import DirectProduct  # a family of this class

        if not isinstance(other, FiniteGroup):
            return NotImplemented
        return DirectProduct(self, other)

    # --- identity as a value -------------------------------------------------------------------

    def _init_args(self) -> tuple[Any, ...]:
        """Arguments that build an equal group; families override it."""
        return (self._table.tolist(),)

    @classmethod
    def _count_elements(cls, arguments: list[Any]) -> int | None:
        """Order by a formula, for arguments from a file; families override it.

        Groups among the arguments come as `Factor`. None if these are no arguments of the family.
        """
        match arguments:
            case [list(table)] if is_table(table, len(table), len(table)):
                return len(table)
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._init_args()))})"

    def _repr_html_(self) -> str:
        """Order, orders of elements and Cayley table, for notebooks."""
        return group_html(self)

    def __eq__(self, other: object) -> bool:
        # The type counts: Cyclic(2) and Dihedral(1) share a table but act on images differently.
        if not isinstance(other, FiniteGroup):
            return NotImplemented
        one, two = self.unnamed, other.unnamed
        if type(one) is not type(two) or not np.array_equal(one._table, two._table):
            return False
        # ... and so do the factors of products
        return type(one) is FiniteGroup or one._init_args() == two._init_args()

    def __hash__(self) -> int:
        return hash((type(self.unnamed).__name__, self._table.tobytes()))

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
        """Index of the inverse of `element`.

        Parameters
        ----------
        element : int

        Returns
        -------
        inverse : int
        """
        return int(self.inverses[self._check_element(element)])

    def multiply(self, left: int, right: int) -> int:
        """Index of the product ``left right`` (apply `right` first).

        Parameters
        ----------
        left, right : int
            Elements.

        Returns
        -------
        product : int
        """
        return int(self._table[self._check_element(left), self._check_element(right)])

    @cached_property
    def is_abelian(self) -> bool:
        """Whether the order of multiplication never matters."""
        return bool(np.array_equal(self._table, self._table.T))

    def element_order(self, element: int) -> int:
        """Smallest k >= 1 with ``element**k`` the identity.

        Parameters
        ----------
        element : int

        Returns
        -------
        k : int
        """
        return int(element_orders(self._table)[self._check_element(element)])

    def conjugacy_classes(self) -> tuple[tuple[int, ...], ...]:
        """Conjugacy classes, each sorted, in the order of their smallest element.

        Returns
        -------
        classes : tuple of tuple of int
        """
        conjugates = self._table[self._table, self.inverses[:, None]]  # [g, x] -> g x g⁻¹
        classes = {tuple(np.unique(conjugates[:, x]).tolist()) for x in range(self.order)}
        return tuple(sorted(classes))

    @cached_property
    def center(self) -> Subgroup:
        """The elements that commute with every other."""
        commutes = (self._table == self._table.T).all(axis=1)
        return Subgroup(self, tuple(np.flatnonzero(commutes).tolist()))

    # --- subgroups -----------------------------------------------------------------------------

    def generated_subgroup(self, generators: Iterable[int]) -> Subgroup:
        """Smallest subgroup that holds all `generators`.

        Parameters
        ----------
        generators : iterable of int
            Elements; none generate the trivial subgroup.

        Returns
        -------
        subgroup : Subgroup
        """
        reached = closure(self._table, [self._check_element(g) for g in generators])
        return Subgroup(self, tuple(np.flatnonzero(reached).tolist()))

    def subgroups(self) -> tuple[Subgroup, ...]:
        """Every subgroup, by order and then by elements.

        Returns
        -------
        subgroups : tuple of Subgroup

        Raises
        ------
        ValueError
            If the group has more than 128 elements: the number of subgroups may be astronomical.
        """
        return self._subgroups

    @cached_property
    def _subgroups(self) -> tuple[Subgroup, ...]:
        check_nameable(self, "Use generated_subgroup for single ones.")
        return tuple(Subgroup(self, elements) for elements in all_subgroups(self._table))

    def subgroup_classes(self) -> tuple[tuple[Subgroup, ...], ...]:
        """Conjugacy classes of `subgroups`, in the order of their first members.

        Translating a feature conjugates what fixes it, so that the class is what a feature and
        its translates have in common.

        Returns
        -------
        classes : tuple of tuple of Subgroup

        Examples
        --------
        >>> from sklearn_groupcross.groups import Dihedral
        >>> [len(members) for members in Dihedral(4).subgroup_classes()]
        [1, 1, 2, 2, 1, 1, 1, 1]
        """
        return self._subgroup_classes

    @cached_property
    def _subgroup_classes(self) -> tuple[tuple[Subgroup, ...], ...]:
        classes = {}
        for subgroup in self.subgroups():
            members = subgroup.conjugacy_class
            classes[members[0].elements] = members
        return tuple(classes.values())

    def normal_subgroups(self) -> tuple[Subgroup, ...]:
        """Every subgroup H with ``g H g⁻¹ = H`` for all g; see `subgroups`.

        Returns
        -------
        subgroups : tuple of Subgroup
        """
        return tuple(subgroup for subgroup in self.subgroups() if subgroup.is_normal)

    def cosets(self, subgroup: Subgroup, side: str = "left") -> tuple[tuple[int, ...], ...]:
        """Cosets ``g H`` (``side="left"``) or ``H g`` (``"right"``), H first, each sorted.

        Parameters
        ----------
        subgroup : Subgroup
            Of this group.
        side : {"left", "right"}, default="left"

        Returns
        -------
        cosets : tuple of tuple of int

        Raises
        ------
        ValueError
            If the subgroup is another group's, or `side` neither of the two.
        """
        self._check_subgroup(subgroup)
        if side not in ("left", "right"):
            raise ValueError(f"side is 'left' or 'right'; got {side!r}.")
        table = self._table if side == "left" else self._table.T
        members = np.sort(table[:, list(subgroup.elements)], axis=1)
        return tuple(sorted({tuple(row) for row in members.tolist()}))

    def quotient(self, normal: Subgroup) -> FiniteGroup:
        """Return the group of the cosets of a normal subgroup, in the order of `cosets`.

        Parameters
        ----------
        normal : Subgroup

        Returns
        -------
        quotient : FiniteGroup

        Raises
        ------
        ValueError
            If the subgroup is not normal; the message names an element that moves it.
        """
        self._check_subgroup(normal)
        if not normal.is_normal:
            moving = next(g for g in range(self.order) if normal.conjugate(g) != normal)
            raise ValueError(f"{normal!r} is not normal: conjugation by element {moving} moves it.")
        cosets = self.cosets(normal)
        coset_of = np.empty(self.order, dtype=np.int64)
        for index, coset in enumerate(cosets):
            coset_of[list(coset)] = index
        representatives = [coset[0] for coset in cosets]
        return FiniteGroup(coset_of[self._table[np.ix_(representatives, representatives)]])

    def restrict(self, subgroup: Subgroup) -> FiniteGroup:
        """Return a subgroup as a group of its own; element i is ``subgroup.elements[i]``.

        Parameters
        ----------
        subgroup : Subgroup
            Of this group.

        Returns
        -------
        group : FiniteGroup
        """
        self._check_subgroup(subgroup)
        elements = np.array(subgroup.elements)
        return FiniteGroup(np.searchsorted(elements, self._table[np.ix_(elements, elements)]))

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

    def left_translation(self, h: int) -> IntArray:
        """Return the permutation of blocks ``(L_h O)[g] = O[h⁻¹ g]``; ``L_h L_k = L_hk``.

        It commutes with every right translation.

        Parameters
        ----------
        h : int

        Returns
        -------
        permutation : ndarray of shape (order,), dtype int64
        """
        return self._table[self.inverse(h)]

    def translates(self, blocks: ArrayLike) -> NDArray[Any]:
        """Stack all right translates of blocks: ``translates(O)[h] = R_h O``.

        Parameters
        ----------
        blocks : array-like of shape (order, ...)

        Returns
        -------
        translates : ndarray of shape (order, order, ...)

        Raises
        ------
        ValueError
            If the first axis is not as long as the group has elements.
        """
        array = np.asarray(blocks)
        if array.ndim == 0 or len(array) != self.order:
            raise ValueError(
                f"Blocks over {self!r} have shape ({self.order}, ...); got {array.shape}."
            )
        return array[self._table.T]

    # --- representations -----------------------------------------------------------------------

    @cached_property
    def irreps(self) -> tuple[Irrep, ...]:
        """Irreducible real orthogonal representations up to isomorphism, the trivial one first."""
        return checked(self, self._find_irreps())

    def _find_irreps(self) -> list[Irrep]:
        """Irreps in any order; families with a formula override it."""
        return split_regular(self)

    @cached_property
    def character_table(self) -> NDArray[np.float64]:
        """Characters of `irreps` on `conjugacy_classes`, (n_irreps, n_classes).

        Those of real irreps: one of complex type holds the sum of a conjugate pair of complex
        characters, one of quaternionic type twice a complex character.
        """
        representatives = [members[0] for members in self.conjugacy_classes()]
        return np.stack([irrep.character[representatives] for irrep in self.irreps])

    def regular_representation(self, side: str = "left") -> NDArray[np.float64]:
        """Matrices (order, order, order) of left or right translation of blocks.

        Parameters
        ----------
        side : {"left", "right"}, default="left"

        Returns
        -------
        matrices : ndarray of shape (order, order, order)
            One matrix an element, of zeros and ones.

        Raises
        ------
        ValueError
            If `side` is neither of the two.
        """
        if side not in ("left", "right"):
            raise ValueError(f"side is 'left' or 'right'; got {side!r}.")
        translation = self.left_translation if side == "left" else self.right_translation
        return np.stack([np.eye(self.order)[translation(h)] for h in range(self.order)])

    def isotypic_projection(self, irrep: Irrep) -> NDArray[np.float64]:
        """Matrix (order, order) that projects blocks on the part that moves like `irrep`.

        ``P[g, k] = (D / (t |G|)) χ(g⁻¹ k)``; it commutes with both translations.

        Parameters
        ----------
        irrep : Irrep
            One of `irreps`.

        Returns
        -------
        projection : ndarray of shape (order, order)
        """
        return irrep.weight * irrep.character[self._table[self.inverses]]

    # --- names for people ----------------------------------------------------------------------

    def element_name(self, element: int) -> str:
        """Return the symbol of an element, such as ``"ρ^3 σ"``.

        Parameters
        ----------
        element : int

        Returns
        -------
        name : str
        """
        element = self._check_element(element)
        return "e" if element == 0 else f"g{element}"

    def named(self, names: Sequence[str]) -> FiniteGroup:
        """Give the elements names of one's own, in whose words everything is told from here on.

        Parameters
        ----------
        names : sequence of str, of length order
            The first is ``"identity"``; all are different.

        Returns
        -------
        group : NamedGroup
            It equals this one.

        Raises
        ------
        ValueError
            If these are no such names.
        """
        from ._named import NamedGroup  # a family of this class

        return NamedGroup(self, names)

    @property
    def unnamed(self) -> FiniteGroup:
        """The group itself; of one that `named` made, the one that it was made of."""
        return self

    @property
    def is_named(self) -> bool:
        """Whether its elements, or those of a factor, have names that `named` gave them."""
        return False

    def describe_element(self, element: int) -> str:
        """Say in words what an element does, such as ``"turn 33.75°, mirrored"``.

        Parameters
        ----------
        element : int

        Returns
        -------
        words : str
        """
        return "identity" if element == 0 else self.element_name(element)

    def describe_subgroup(self, subgroup: Subgroup) -> str:
        """Say what a subgroup is: its class and its generators, or "none" or "everything".

        Parameters
        ----------
        subgroup : Subgroup
            Of this group.

        Returns
        -------
        words : str
        """
        if subgroup.order == 1:
            return "C1: none"
        if subgroup.order == self.order:
            return f"{self.isomorphism_type}: everything"
        generators = "; ".join(self.describe_element(g) for g in subgroup.generators)
        return f"{self.restrict(subgroup).isomorphism_type}: {generators}"

    @cached_property
    def isomorphism_type(self) -> str:
        """Name of the isomorphism class, such as ``"C2 × C4"``, ``"D6"``, ``"A4"`` or ``"Q8"``.

        ``"order 21"`` where the class is none of the named families.
        """
        return isomorphism_type(self._table)

    # --- helpers -------------------------------------------------------------------------------

    def _check_element(self, element: int) -> int:
        index = int(element)
        if index != element or not 0 <= index < self.order:
            raise ValueError(f"{self!r} has elements 0 to {self.order - 1}; got {element!r}.")
        return index

    def _check_subgroup(self, subgroup: Subgroup) -> None:
        if subgroup.group != self:
            raise ValueError(f"{subgroup!r} is not a subgroup of {self!r}.")
