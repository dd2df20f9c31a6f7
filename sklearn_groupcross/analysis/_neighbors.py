"""Neighbours of features as scikit-learn has them: a sparse graph of distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

MODES = ("distance", "connectivity")
_ROWS_A_PASS = 256


def nearest_in_rows(
    distances: NDArray[np.floating], dead: NDArray[np.bool_], k: int
) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """First k of every row of all distances, and their columns; of equal ones the first.

    Parameters
    ----------
    distances : ndarray of shape (m, m)
    dead : ndarray of shape (m,), bool
        Nobody's neighbours.
    k : int

    Returns
    -------
    values : ndarray of shape (m, k)
        Increasing in each row; the feature itself is not among them.
    columns : ndarray of shape (m, k), int64
    """
    m = len(distances)
    values, columns = np.empty((m, k), distances.dtype), np.empty((m, k), np.int64)
    for start in range(0, m, _ROWS_A_PASS):
        rows = np.arange(start, min(start + _ROWS_A_PASS, m))
        part = distances[rows]
        part[:, dead] = np.inf
        part[np.arange(len(rows)), rows] = np.inf
        columns[rows] = smallest_in_rows(part, k)
        values[rows] = np.take_along_axis(part, columns[rows], axis=1)
    return values, columns


def smallest_in_rows(values: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """Columns (n, k) of the smallest values of every row, in order; of equal ones the first."""
    if not 0 < k < values.shape[1]:
        return np.argsort(values, axis=1, kind="stable")[:, :k]
    chosen = np.sort(np.argpartition(values, k - 1, axis=1)[:, :k], axis=1)
    found = np.take_along_axis(values, chosen, axis=1)
    columns = np.take_along_axis(chosen, np.argsort(found, axis=1, kind="stable"), axis=1)
    # where others are as small as the last of these, a partition takes any
    is_tied = (values <= found.max(axis=1, keepdims=True)).sum(axis=1) > k
    columns[is_tied] = np.argsort(values[is_tied], axis=1, kind="stable")[:, :k]
    return columns


def neighbors_graph(
    distances: NDArray[np.floating],
    indices: NDArray[np.int64],
    alive: NDArray[np.bool_],
    mode: str,
) -> csr_matrix:
    """Sparse graph (m, m) of distances (m, k) and the columns (m, k) that they belong to.

    Rows of features that are not alive are empty. Zeros are stored.
    """
    m, k = distances.shape
    values = distances[alive] if mode == "distance" else np.ones_like(distances[alive])
    starts = np.concatenate([[0], np.cumsum(alive * k)])
    return csr_matrix((values.ravel(), indices[alive].ravel(), starts), shape=(m, m))
