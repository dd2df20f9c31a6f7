"""Cayley tables from permutations and from matrices: closing generators under products."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from .._group_names import MAX_ORDER
from ._validation import IntArray


def table_from_permutations(generators: Iterable[Sequence[int]]) -> tuple[IntArray, IntArray]:
    """Close permutations of ``0 ... n-1`` under composition, ``(p q)(i) = p(q(i))``.

    Returns
    -------
    table : ndarray of shape (order, order)
    elements : ndarray of shape (order, n)
        The permutations, the identity first.

    Raises
    ------
    ValueError
        If a generator is not a permutation, their lengths differ, or the order exceeds 1024.
    """
    rows = [np.asarray(generator) for generator in generators]
    if not rows:
        raise ValueError("At least one generating permutation is needed.")
    n = len(rows[0])
    for i, row in enumerate(rows):
        if row.shape != (n,) or not np.array_equal(np.sort(row), np.arange(n)):
            raise ValueError(
                f"Generator {i}, {row.tolist()}, is not a permutation of 0 to {n - 1}."
            )
    elements = [tuple(range(n))]
    index = {elements[0]: 0}
    for element in elements:  # the list grows while it is read
        for row in rows:
            product = tuple(element[j] for j in row)
            if product not in index:
                if len(elements) == MAX_ORDER:
                    raise ValueError(
                        f"The {len(rows)} permutations of {n} points generate more than "
                        f"{MAX_ORDER} elements."
                    )
                index[product] = len(elements)
                elements.append(product)
    array = np.array(elements, dtype=np.int64).reshape(len(elements), n)
    products = array[:, array]  # [i, j] -> g_i after g_j
    table = np.array([[index[tuple(p)] for p in row] for row in products.tolist()])
    return table, array


def table_from_matrices(
    generators: Iterable[ArrayLike], tolerance: float
) -> tuple[IntArray, NDArray[np.complexfloating | np.floating]]:
    """Close invertible matrices under products, equal where they agree within a tolerance.

    Returns
    -------
    table : ndarray of shape (order, order)
    elements : ndarray of shape (order, n, n)

    Raises
    ------
    ValueError
        If the matrices are not square or singular, or do not close within 1024 elements.
    """
    matrices = [np.asarray(generator) for generator in generators]
    if not matrices:
        raise ValueError("At least one generating matrix is needed.")
    shape = matrices[0].shape
    for i, matrix in enumerate(matrices):
        if matrix.ndim != 2 or shape != (len(matrix), len(matrix)) or matrix.shape != shape:
            raise ValueError(f"Generator {i} has shape {matrix.shape}; expected square, all alike.")
        if np.linalg.matrix_rank(matrix) < len(matrix):
            raise ValueError(f"Generator {i} is singular: it has no inverse.")
    steps = np.stack(matrices)
    elements = np.eye(shape[0], dtype=np.result_type(steps, float))[None]
    frontier = elements
    while len(frontier):
        products = (frontier[:, None] @ steps).reshape(-1, *shape)
        known = _tree(elements).query(_points(products), p=np.inf)[0] <= tolerance
        frontier = products[~known]
        again = {j for _, j in _tree(frontier).query_pairs(tolerance, p=np.inf)}
        frontier = frontier[[i for i in range(len(frontier)) if i not in again]]
        elements = np.concatenate([elements, frontier])
        if len(elements) > MAX_ORDER:
            generator = int(np.flatnonzero(~known)[0]) % len(steps)
            raise ValueError(
                f"The matrices do not close: {MAX_ORDER} elements were reached and products with "
                f"generator {generator} are still new (tolerance {tolerance:g})."
            )
    products = (elements[:, None] @ elements).reshape(-1, *shape)
    table = _tree(elements).query(_points(products), p=np.inf)[1].reshape(len(elements), -1)
    return table, elements


def _points(matrices: NDArray) -> NDArray[np.float64]:
    """Matrices as points of a real space."""
    flat = matrices.reshape(len(matrices), int(np.prod(matrices.shape[1:])))
    return np.concatenate([flat.real, flat.imag], axis=1)


def _tree(matrices: NDArray) -> KDTree:
    return KDTree(_points(matrices))
