"""Families beside the planar ones: symmetric, alternating, quaternion, products."""

from __future__ import annotations

from functools import cached_property
from itertools import permutations
from math import factorial
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._group_names import MAX_ORDER
from ._arguments import Factor, is_table, is_whole
from ._finite_group import FiniteGroup
from ._irreps import Irrep, split

# 7! exceeds the largest supported order.
_LARGEST_DEGREE = 6


class _PermutationFamily(FiniteGroup):
    """Permutations of n points in lexicographic order; ``(p q)(i) = p(q(i))``."""

    def __init__(self, n: int, elements: np.ndarray) -> None:
        self.n = n
        self.permutations = elements
        super().__init__(_composition_table(elements))

    def _init_args(self) -> tuple[Any, ...]:
        return (self.n,)

    def element_name(self, element: int) -> str:
        """Return an element in cycle notation, such as ``"(0 2 1)"``.

        Parameters
        ----------
        element : int

        Returns
        -------
        name : str
        """
        return cycles(self.permutations[self._check_element(element)].tolist())


class Symmetric(_PermutationFamily):
    """All permutations of n points, in lexicographic order; ``(p q)(i) = p(q(i))``.

    Parameters
    ----------
    n : int
        At most 6: the order is ``n!``.
    """

    def __init__(self, n: int) -> None:
        n = _check_degree(n, type(self).__name__)
        super().__init__(n, _all_permutations(n))

    @classmethod
    def _count_elements(cls, arguments: list[Any]) -> int | None:
        match arguments:
            case [n] if is_whole(n, 1, _LARGEST_DEGREE):
                return factorial(n)
        return None


class Alternating(_PermutationFamily):
    """The even permutations of n points, in lexicographic order.

    Parameters
    ----------
    n : int
        At most 6: the order is ``n! / 2``, and 1 for n < 2.
    """

    def __init__(self, n: int) -> None:
        n = _check_degree(n, type(self).__name__)
        everything = _all_permutations(n)
        first, second = np.triu_indices(n, 1)
        inversions = (everything[:, first] > everything[:, second]).sum(axis=1)
        super().__init__(n, everything[inversions % 2 == 0])

    @classmethod
    def _count_elements(cls, arguments: list[Any]) -> int | None:
        match arguments:
            case [n] if is_whole(n, 1, _LARGEST_DEGREE):
                return max(1, factorial(n) // 2)
        return None


class Quaternion(FiniteGroup):
    """The eight quaternions ``1, i, j, k, -1, -i, -j, -k``, in this order."""

    _NAMES = ("1", "i", "j", "k", "-1", "-i", "-j", "-k")

    def __init__(self) -> None:
        # products of 1, i, j, k: which unit, and whether with a minus
        unit = np.array([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
        minus = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 1]])
        sign, which = np.divmod(np.arange(8), 4)
        u = unit[np.ix_(which, which)]
        s = minus[np.ix_(which, which)] ^ sign[:, None] ^ sign[None, :]
        super().__init__(u + 4 * s)

    def _init_args(self) -> tuple[Any, ...]:
        return ()

    @classmethod
    def _count_elements(cls, arguments: list[Any]) -> int | None:
        return None if arguments else 8

    def element_name(self, element: int) -> str:
        """Return the quaternion, such as ``"-j"``.

        Parameters
        ----------
        element : int

        Returns
        -------
        name : str
        """
        return self._NAMES[self._check_element(element)]


class DirectProduct(FiniteGroup):
    """Pairs of elements, multiplied part by part; also written ``left * right``.

    Element ``(i, j)`` has the index ``i * right.order + j``.

    Parameters
    ----------
    left, right : FiniteGroup
        The product of their orders is at most 1024.
    """

    def __init__(self, left: FiniteGroup, right: FiniteGroup) -> None:
        self.left, self.right = _check_factors(left, right)
        i, j = np.divmod(np.arange(left.order * right.order), right.order)
        products = left.cayley_table[np.ix_(i, i)] * right.order
        super().__init__(products + right.cayley_table[np.ix_(j, j)])

    def _init_args(self) -> tuple[Any, ...]:
        return (self.left, self.right)

    @classmethod
    def _count_elements(cls, arguments: list[Any]) -> int | None:
        match arguments:
            case [Factor(left), Factor(right)]:
                return left * right
        return None

    def _find_irreps(self) -> list[Irrep]:
        """Tensor products of irreps, split where both factors are not of real type.

        Over the reals C ⊗ C is two copies of C, C ⊗ H is 2 x 2 matrices over C, H ⊗ H is 4 x 4
        matrices over R: such products fall apart.
        """
        irreps: list[Irrep] = []
        for a in self.left.irreps:
            for b in self.right.irreps:
                name = f"{a.name} ⊗ {b.name}"
                d = a.dimension * b.dimension
                product = np.einsum("gij,hkl->ghikjl", a.matrices, b.matrices).reshape(-1, d, d)
                if 1 in (a.type, b.type):
                    irreps.append(Irrep(self, name, product))
                else:
                    irreps.extend(split(self, name, product))
        return irreps

    def element_name(self, element: int) -> str:
        """Return the pair of the parts' names.

        Parameters
        ----------
        element : int

        Returns
        -------
        name : str
        """
        i, j = divmod(self._check_element(element), self.right.order)
        return f"({self.left.element_name(i)}, {self.right.element_name(j)})"

    @property
    def is_named(self) -> bool:
        """Whether the elements of a factor have names of their own."""
        return self.left.is_named or self.right.is_named

    def describe_element(self, element: int) -> str:
        """Say what both parts do, ``"turn 90° and hue turn 120°"``.

        A pair, ``"(turn 90°; identity)"``, where the parts have words in common.

        Parameters
        ----------
        element : int

        Returns
        -------
        words : str
        """
        return self._descriptions[self._check_element(element)]

    @cached_property
    def _descriptions(self) -> list[str]:
        left = [self.left.describe_element(i) for i in range(self.left.order)]
        right = [self.right.describe_element(j) for j in range(self.right.order)]
        pairs = [(i, j) for i in range(len(left)) for j in range(len(right))]
        joined = [
            " and ".join([left[i]] * (i > 0) + [right[j]] * (j > 0)) or left[0] for i, j in pairs
        ]
        if len(set(joined)) == self.order:
            return joined
        return [f"({left[i]}; {right[j]})" if i or j else left[0] for i, j in pairs]


class SemidirectProduct(FiniteGroup):
    """Pairs with ``(n, h) (m, k) = (n φ_h(m), h k)``: the second factor acts on the first.

    Element ``(n, h)`` has the index ``n * acting.order + h``.

    Parameters
    ----------
    normal : FiniteGroup
    acting : FiniteGroup
        The product of their orders is at most 1024.
    action : array-like of shape (acting.order, normal.order)
        ``action[h, m]`` is ``φ_h(m)``; every ``φ_h`` is an automorphism of `normal`, and
        ``φ_hk = φ_h φ_k``.

    Raises
    ------
    ValueError
        Naming the elements for which `action` is no such thing.

    Examples
    --------
    >>> from sklearn_groupcross.groups import Cyclic, SemidirectProduct
    >>> group = SemidirectProduct(Cyclic(7), Cyclic(3), [[m * 2**h % 7 for m in range(7)]
    ...                                                  for h in range(3)])
    >>> group.order, group.is_abelian
    (21, False)
    """

    def __init__(self, normal: FiniteGroup, acting: FiniteGroup, action: ArrayLike) -> None:
        self.normal, self.acting = _check_factors(normal, acting)
        phi = _check_action(np.asarray(action), normal, acting)
        self.action = phi
        n, h = np.divmod(np.arange(normal.order * acting.order), acting.order)
        moved = phi[h[:, None], n[None, :]]  # φ_h(m) for every pair
        products = normal.cayley_table[n[:, None], moved] * acting.order
        super().__init__(products + acting.cayley_table[np.ix_(h, h)])

    def _init_args(self) -> tuple[Any, ...]:
        return (self.normal, self.acting, self.action.tolist())

    @classmethod
    def _count_elements(cls, arguments: list[Any]) -> int | None:
        match arguments:
            case [Factor(n), Factor(m), list(action)] if is_table(action, m, n):
                return n * m
        return None


def cycles(permutation: list[int]) -> str:
    """Write a permutation in cycle notation, ``"e"`` for the identity."""
    seen: set[int] = set()
    parts = []
    for start in range(len(permutation)):
        cycle = []
        while start not in seen:
            seen.add(start)
            cycle.append(str(start))
            start = permutation[start]
        if len(cycle) > 1:
            parts.append(f"({' '.join(cycle)})")
    return "".join(parts) or "e"


def _all_permutations(n: int) -> np.ndarray:
    return np.array(list(permutations(range(n))), dtype=np.int64)


def _composition_table(elements: np.ndarray) -> np.ndarray:
    """Cayley table of permutations that are closed and sorted lexicographically."""
    n = elements.shape[1]
    digits = n ** np.arange(n - 1, -1, -1)
    keys = elements @ digits  # increasing, because the elements are sorted
    return np.searchsorted(keys, elements[:, elements] @ digits)


def _check_degree(n: int, family: str) -> int:
    if isinstance(n, bool) or not isinstance(n, Integral) or not 1 <= n <= _LARGEST_DEGREE:
        raise ValueError(
            f"{family}(n) takes a whole number 1 <= n <= {_LARGEST_DEGREE} "
            f"(orders up to {MAX_ORDER}); got {n!r}."
        )
    return int(n)


def _check_factors(left: FiniteGroup, right: FiniteGroup) -> tuple[FiniteGroup, FiniteGroup]:
    if left.order * right.order > MAX_ORDER:
        raise ValueError(
            f"The product of {left!r} and {right!r} has {left.order * right.order} elements; "
            f"at most {MAX_ORDER} are supported."
        )
    return left, right


def _check_action(phi: np.ndarray, normal: FiniteGroup, acting: FiniteGroup) -> np.ndarray:
    if phi.shape != (acting.order, normal.order) or not np.issubdtype(phi.dtype, np.integer):
        raise ValueError(
            f"The action is an integer array (acting.order, normal.order) = "
            f"{(acting.order, normal.order)}; got {phi.dtype} of shape {phi.shape}."
        )
    for h, row in enumerate(phi):
        if not np.array_equal(np.sort(row), np.arange(normal.order)):
            raise ValueError(f"Element {h} does not act by a permutation of {normal!r}.")
        wrong = np.argwhere(row[normal.cayley_table] != normal.cayley_table[np.ix_(row, row)])
        if len(wrong):
            a, b = wrong[0]
            raise ValueError(
                f"Element {h} does not act by an automorphism: φ({a} {b}) ≠ φ({a}) φ({b})."
            )
    wrong = np.argwhere((phi[acting.cayley_table] != phi[:, phi]).any(axis=2))
    if len(wrong):
        h, k = wrong[0]
        raise ValueError(f"The action is no homomorphism: φ_({h} {k}) ≠ φ_{h} φ_{k}.")
    return phi.astype(np.int64)
