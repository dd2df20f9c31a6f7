"""Mean and variance of rows that come some at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning

from .._ambient import warn_caller
from .._compiled import compiled

# Values whose squares float64 holds, sums of them included.
_SMALLEST, _LARGEST = 1e-150, 1e150
# Rows that differ by less than this, relative to their mean, differ by rounding alone.
_ROUNDING = 1e-10
# Columns that are summed at once: with a chunk of rows they stay in the cache for the second pass.
_TILE = 1024


class Moments:
    """Mean and squared distances from it, of each column, in float64.

    Chunks are summed about their own means and joined by the formula of Chan, Golub and LeVeque
    (1983): sums of squares about zero would cancel where the mean is large.

    Parameters
    ----------
    n_columns : int
    n_rows : int, default=0
    mean, squares : ndarray of shape (n_columns,), optional
        Of rows taken in before.
    """

    def __init__(
        self,
        n_columns: int,
        n_rows: int = 0,
        mean: NDArray[np.float64] | None = None,
        squares: NDArray[np.float64] | None = None,
    ) -> None:
        self.n_rows = n_rows
        self.mean = np.zeros(n_columns) if mean is None else mean
        self.squares = np.zeros(n_columns) if squares is None else squares

    def update(self, rows: NDArray[np.floating]) -> None:
        """Take in finite rows of shape (n, n_columns).

        Raises
        ------
        ValueError
            If values are so large or so small that their squares cannot be represented.
        """
        if rows.dtype != np.float32:  # which holds no such values
            rows = np.asarray(rows, dtype=np.float64)
            largest = max(abs(float(rows.max())), abs(float(rows.min()))) if rows.size else 0.0
            if largest > _LARGEST or 0 < largest < _SMALLEST:
                raise ValueError(
                    f"X has values of up to {largest:.0e}: their squares cannot be represented. "
                    "Multiply X by one number, so that values are near 1."
                )
        mean, squares = np.empty_like(self.mean), np.empty_like(self.squares)
        _sum_columns(np.ascontiguousarray(rows), mean, squares, _TILE)
        step, n_rows = mean - self.mean, self.n_rows + len(rows)
        between = np.square(step) * (self.n_rows * len(rows) / n_rows)
        self.squares = self.squares + squares + between
        self.mean = self.mean + step * (len(rows) / n_rows)
        self.n_rows = n_rows

    @property
    def variance(self) -> float:
        """Mean squared distance of a row from the mean; 0 if they differ by rounding alone."""
        variance = float(self.squares.sum()) / self.n_rows
        return variance if variance > _ROUNDING**2 * float(self.mean @ self.mean) else 0.0


@compiled
def _sum_columns(
    rows: NDArray[np.floating], mean: NDArray[np.float64], squares: NDArray[np.float64], tile: int
) -> None:
    """Mean and squared distances from it, of each column, summed in float64 row after row."""
    for low in range(0, rows.shape[1], tile):
        high = min(low + tile, rows.shape[1])
        center, total = mean[low:high], squares[low:high]
        center[:] = 0
        total[:] = 0
        for row in range(len(rows)):
            values = rows[row, low:high]
            for i in range(len(center)):
                center[i] += values[i]
        for i in range(len(center)):
            center[i] /= len(rows)
        for row in range(len(rows)):
            values = rows[row, low:high]
            for i in range(len(center)):
                offset = values[i] - center[i]
                total[i] += offset * offset


def warn_of_one_sample(score: str) -> None:
    """Warn, as scikit-learn's scores do, that one sample has no variance to explain."""
    warn_caller(f"{score} is not well-defined with less than two samples.", UndefinedMetricWarning)
