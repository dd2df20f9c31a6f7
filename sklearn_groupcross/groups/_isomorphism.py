"""Names of isomorphism classes, for people."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from ._validation import IntArray, element_orders, generating_set

# Orders of elements, {order: how many}, that single out the named groups which have no short
# presentation; `find_isomorphism` is the proof, in the tests.
_BY_ELEMENT_ORDERS = {
    "A4": {1: 1, 2: 3, 3: 8},
    "S4": {1: 1, 2: 9, 3: 8, 4: 6},
    "A5": {1: 1, 2: 15, 3: 20, 5: 24},
    "S5": {1: 1, 2: 25, 3: 20, 4: 30, 5: 24, 6: 20},
    "A6": {1: 1, 2: 45, 3: 80, 4: 90, 5: 144},
    "S6": {1: 1, 2: 75, 3: 80, 4: 180, 5: 144, 6: 240},
}


def isomorphism_type(table: IntArray) -> str:
    """Name the isomorphism class of a group.

    Parameters
    ----------
    table : ndarray of shape (order, order)
        Its Cayley table.

    Returns
    -------
    name : str
        ``"C2 × C4"`` for an abelian group (invariant factors), ``"D6"`` (order 12), ``"Q8"`` and
        ``"Dic3"`` for dicyclic groups, ``"A4"``, ``"S4"``, ``"A5"``, ``"S5"``, ``"A6"``, ``"S6"``;
        otherwise ``"order 21"``.
    """
    orders = element_orders(table)
    if np.array_equal(table, table.T):
        return _abelian_type(orders)
    counts = dict(zip(*(a.tolist() for a in np.unique(orders, return_counts=True)), strict=True))
    for name, expected in _BY_ELEMENT_ORDERS.items():
        if counts == expected:
            return name
    return _rotation_and_flip_type(table, orders) or f"order {len(table)}"


def _abelian_type(orders: IntArray) -> str:
    """Invariant factors from the orders of the elements, the smallest first."""
    factors = [1]
    remaining, p = len(orders), 2
    while remaining > 1:
        if remaining % p:
            p += 1
            continue
        exponents: list[int] = []  # of the cyclic factors of p-power order
        k, below = 1, 1
        while True:
            solutions = int((p**k % orders == 0).sum())  # of x**(p**k) = e
            rank = round(np.log(solutions / below) / np.log(p))  # factors of order p**k or more
            if rank == 0:
                break
            exponents += [0] * (rank - len(exponents))
            exponents[:rank] = [e + 1 for e in exponents[:rank]]
            k, below = k + 1, solutions
        factors += [1] * (len(exponents) - len(factors))
        for i, exponent in enumerate(exponents):
            factors[i] *= p**exponent
        while remaining % p == 0:
            remaining //= p
    return " × ".join(f"C{n}" for n in reversed(factors))


def _rotation_and_flip_type(table: IntArray, orders: IntArray) -> str | None:
    """Dihedral and dicyclic groups: r generates half, and s outside it turns r into r⁻¹."""
    half = len(table) // 2
    inverses = np.argmin(table, axis=1)
    for r in np.flatnonzero(orders == half):
        outside = np.ones(len(table), dtype=bool)
        power = 0
        for _ in range(half):
            outside[power] = False
            power = int(table[power, r])
        s = int(np.flatnonzero(outside)[0])
        if table[table[s, r], inverses[s]] != inverses[r]:
            continue
        if orders[s] == 2:
            return f"D{half}"
        if orders[s] == 4:
            return "Q8" if half == 4 else f"Dic{half // 2}"
    return None


def find_isomorphism(source: IntArray, target: IntArray) -> IntArray | None:
    """Find an isomorphism by trying images of generators, or return None if there is none.

    Parameters
    ----------
    source, target : ndarray of shape (order, order)
        Cayley tables.

    Returns
    -------
    mapping : ndarray of shape (order,) or None
        ``mapping[source[a, b]] == target[mapping[a], mapping[b]]``.
    """
    if len(source) != len(target):
        return None
    orders = element_orders(source), element_orders(target)
    if not np.array_equal(np.sort(orders[0]), np.sort(orders[1])):
        return None
    generators = generating_set(source)
    candidates = [np.flatnonzero(orders[1] == orders[0][g]).tolist() for g in generators]
    for images in product(*candidates):
        mapping = _extend(source, target, generators, images)
        if mapping is not None:
            return mapping
    return None


def _extend(
    source: IntArray, target: IntArray, generators: list[int], images: tuple[int, ...]
) -> IntArray | None:
    """Extend images of generators to a bijective homomorphism, or None."""
    mapping: NDArray[np.int64] = np.full(len(source), -1, dtype=np.int64)
    mapping[0] = 0
    queue = [0]
    for element in queue:
        for g, image in zip(generators, images, strict=True):
            reached, moved = int(source[element, g]), int(target[mapping[element], image])
            if mapping[reached] < 0:
                mapping[reached] = moved
                queue.append(reached)
            elif mapping[reached] != moved:
                return None
    bijective = len(np.unique(mapping)) == len(source)
    homomorphism = np.array_equal(mapping[source], target[np.ix_(mapping, mapping)])
    return mapping if bijective and homomorphism else None
