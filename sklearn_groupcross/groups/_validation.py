"""Checks that a table of integers is the Cayley table of a group."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._group_names import MAX_ORDER
from .._masked import unmasked

IntArray = NDArray[np.int64]


def check_cayley_table(table: ArrayLike) -> IntArray:
    """Return `table` as a read-only integer array, or say why it is not a group's.

    Parameters
    ----------
    table : array-like of shape (order, order)
        ``table[i, j]`` is the index of the product ``g_i g_j``; element 0 is the identity.

    Returns
    -------
    table : ndarray of shape (order, order), dtype int64
        A private, read-only copy.

    Raises
    ------
    ValueError
        If the table is not square, too large, not closed, or breaks the identity, inverse or
        associative law. The message names the elements that break it.
    """
    array = np.asarray(unmasked(table, "The Cayley table"))
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.shape[0] == 0:
        raise ValueError(
            f"A Cayley table is a square array (order, order), order >= 1; got shape {array.shape}."
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"A Cayley table holds integer indices; got dtype {array.dtype}.")
    order = array.shape[0]
    if order > MAX_ORDER:
        raise ValueError(f"Groups of at most {MAX_ORDER} elements are supported; got {order}.")
    array = array.astype(np.int64, copy=True)

    outside = np.argwhere((array < 0) | (array >= order))
    if len(outside):
        i, j = outside[0]
        raise ValueError(
            f"Not closed: the product of elements {i} and {j} is {array[i, j]}, "
            f"but the elements are 0 to {order - 1}."
        )
    everything = np.arange(order)
    for wrong in np.flatnonzero((array[0] != everything) | (array[:, 0] != everything)):
        raise ValueError(
            f"Element 0 is not the identity: 0 times {wrong} is {array[0, wrong]} "
            f"and {wrong} times 0 is {array[wrong, 0]}."
        )
    # In a finite group every row and every column is a permutation (cancellation law).
    for axis, side in ((1, "row"), (0, "column")):
        bad = np.flatnonzero(
            (np.sort(array, axis=axis) != np.expand_dims(everything, 1 - axis)).any(axis)
        )
        if len(bad):
            raise ValueError(
                f"No inverses: {side} {bad[0]} of the table is not a permutation of the elements, "
                f"so products with element {bad[0]} cannot be undone."
            )
    _check_associative(array)
    array.setflags(write=False)
    return array


def _check_associative(table: IntArray) -> None:
    """Light's test: it is enough that ``(x a) y = x (a y)`` for a in a generating set.

    The elements a that pass for all x and y are closed under multiplication, so the test costs
    ``order**2`` for each of at most ``log2(order)`` generators instead of ``order**3``.
    """
    for a in generating_set(table):
        left = table[table[:, a]]  # (x a) y
        right = table[:, table[a]]  # x (a y)
        wrong = np.argwhere(left != right)
        if len(wrong):
            x, y = wrong[0]
            raise ValueError(
                f"Not associative: ({x} {a}) {y} = {left[x, y]} but {x} ({a} {y}) = {right[x, y]}."
            )


def generating_set(table: IntArray) -> list[int]:
    """Find a small generating set greedily: the first element not yet reached joins it."""
    reached = np.zeros(len(table), dtype=bool)
    reached[0] = True
    generators: list[int] = []
    while not reached.all():
        generators.append(int(np.flatnonzero(~reached)[0]))
        reached = closure(table, generators)
    return generators


def closure(
    table: IntArray, generators: list[int], start: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Mark the elements that are products of `generators` and of the elements marked in `start`.

    All products of two elements reached so far are added until nothing is new, which doubles the
    length of the words in every round.
    """
    reached = np.zeros(len(table), dtype=bool) if start is None else start.copy()
    reached[[0, *generators]] = True
    n_before = 0
    members = np.flatnonzero(reached)
    while len(members) > n_before:
        n_before = len(members)
        reached[table[members[:, None], members]] = True
        members = np.flatnonzero(reached)
    return reached


def element_orders(table: IntArray) -> IntArray:
    """Order of every element, of shape (order,)."""
    elements = np.arange(len(table))
    orders = np.ones(len(table), dtype=np.int64)
    powers = elements.copy()
    while powers.any():
        orders[powers != 0] += 1
        powers = np.where(powers != 0, table[powers, elements], 0)
    return orders
