"""Subgroups of a finite group and how all of them are found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .._group_names import check_nameable_order
from ._notebook import subgroup_html
from ._validation import IntArray, closure, element_orders

if TYPE_CHECKING:
    from ._finite_group import FiniteGroup


@dataclass(frozen=True)
class Subgroup:
    """A subgroup, as the sorted indices of its elements in the parent group.

    Parameters
    ----------
    group : FiniteGroup
        The parent.
    elements : tuple of int
        Sorted indices, the identity 0 first. Build one with `FiniteGroup.generated_subgroup`.
    """

    group: FiniteGroup
    elements: tuple[int, ...]

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.elements)

    def __contains__(self, element: object) -> bool:
        return element in self.elements

    @cached_property
    def generators(self) -> tuple[int, ...]:
        """A small generating set: the element that adds most joins, until nothing is missing."""
        table = self.group.cayley_table
        chosen: list[int] = []
        reached = closure(table, chosen)
        while int(reached.sum()) < self.order:
            candidates = [
                (closure(table, [*chosen, g]), g) for g in self.elements if not reached[g]
            ]
            reached, best = max(candidates, key=lambda found: (int(found[0].sum()), -found[1]))
            chosen.append(best)
        return tuple(chosen)

    @cached_property
    def is_normal(self) -> bool:
        """Whether every conjugate is the subgroup itself."""
        table, members = self.group.cayley_table, list(self.elements)
        left = np.sort(table[:, members], axis=1)
        right = np.sort(table[members, :], axis=0).T
        return bool(np.array_equal(left, right))

    @property
    def name(self) -> str:
        """Class and generators for people, such as ``"C2: half turn"``."""
        return self.group.describe_subgroup(self)

    @property
    def class_name(self) -> str:
        """Name of the conjugacy class: the same for all conjugates, and for no others.

        That of the first of the conjugates, which stands for all of them: two subgroups of the
        same kind that are not conjugate, such as the mirrors through the corners and through the
        sides of a square, have different names.
        """
        first = self.conjugacy_class[0]
        return first.name if self.is_normal else f"{first.name} and its conjugates"

    @cached_property
    def conjugacy_class(self) -> tuple[Subgroup, ...]:
        """All conjugates ``g H g⁻¹``, each once, sorted by elements."""
        if self.is_normal:
            return (self,)
        conjugates = {self.conjugate(g).elements for g in range(self.group.order)}
        return tuple(Subgroup(self.group, elements) for elements in sorted(conjugates))

    def conjugate(self, element: int) -> Subgroup:
        """Return ``g H g⁻¹`` for ``g = element``.

        Parameters
        ----------
        element : int
            Of the group.

        Returns
        -------
        subgroup : Subgroup
        """
        table, inverse = self.group.cayley_table, self.group.inverse(element)
        elements = table[table[element, list(self.elements)], inverse]
        return Subgroup(self.group, tuple(np.sort(elements).tolist()))

    def _repr_html_(self) -> str:
        """Elements among those of the group, for notebooks."""
        return subgroup_html(self)

    def __repr__(self) -> str:
        return f"<Subgroup of {self.group!r}: {self.name}>"


def check_nameable(group: FiniteGroup, advice: str = "Take a smaller group.") -> None:
    """Refuse a group with too many elements for all of its subgroups to be listed.

    Symmetries are named by them: what needs names asks here before hours of work.

    Parameters
    ----------
    group : FiniteGroup
    advice : str, default="Take a smaller group."
        What to do instead, to end the message with.

    Raises
    ------
    ValueError
        If it has more than 128 elements.
    """
    check_nameable_order(group.order, advice)


def all_subgroups(table: IntArray) -> list[tuple[int, ...]]:
    """Elements of every subgroup of a group with a Cayley table, by order and then by elements.

    Found by adding one generator at a time until nothing new appears.
    """
    trivial = closure(table, [])
    # A smallest larger subgroup comes from one element of prime power order, and elements that
    # generate the same cyclic subgroup do the same: one of each is enough.
    cyclic = {closure(table, [g]).tobytes(): g for g in reversed(range(len(table)))}
    orders = element_orders(table)
    candidates = [g for g in cyclic.values() if is_prime_power(int(orders[g]))]
    found = {trivial.tobytes(): np.array([0])}
    frontier = [trivial]
    while frontier:
        larger_ones = []
        for mask in frontier:
            tried = mask.copy()
            for g in candidates:
                if tried[g]:
                    continue
                larger = closure(table, [g], mask)
                if is_prime_power(int(larger.sum()) // int(mask.sum()), largest_exponent=1):
                    tried |= larger  # nothing lies between: each of its elements gives the same
                if larger.tobytes() not in found:
                    found[larger.tobytes()] = np.flatnonzero(larger)
                    larger_ones.append(larger)
        frontier = larger_ones
    subgroups = (tuple(elements.tolist()) for elements in found.values())
    return sorted(subgroups, key=lambda elements: (len(elements), elements))


def is_prime_power(n: int, largest_exponent: int | None = None) -> bool:
    """Whether ``n = p**k`` with p prime and k from 1 to `largest_exponent`."""
    if n < 2:
        return False
    p = next((d for d in range(2, int(n**0.5) + 1) if n % d == 0), n)
    exponent = 0
    while n % p == 0:
        n, exponent = n // p, exponent + 1
    return n == 1 and (largest_exponent is None or exponent <= largest_exponent)
