"""What training asks of the data before it starts: moments, a check, a fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._rows import Rows, check_finite


class Moments:
    """Mean and variance of rows that come some at a time, in float64."""

    def __init__(self) -> None:
        self.n_rows = 0
        self._squares = 0.0

    def update(self, block: Tensor) -> None:
        """Take in rows of shape (n, n_columns)."""
        block = block.double()
        if self.n_rows == 0:
            # Squares are summed about a point inside the data: about 0 they would cancel where the
            # mean is large.
            self._shift = block.mean(0)
            self._total = torch.zeros_like(self._shift)
        block = block - self._shift
        self._total += block.sum(0)
        self._squares += float(block.square().sum())
        self.n_rows += len(block)

    @property
    def mean(self) -> Tensor:
        """Mean row, of shape (n_columns,)."""
        return self._shift + self._total / self.n_rows

    @property
    def variance(self) -> float:
        """Mean squared distance of a row from the mean; 0 if they differ by rounding alone."""
        offset = (self._total / self.n_rows).square().sum()
        variance = self._squares / self.n_rows - float(offset)
        return variance if variance > 1e-20 * float(self.mean.square().sum()) else 0.0


@dataclass(frozen=True)
class DataSummary:
    """Statistics of the training data, from one pass over its rows.

    Attributes
    ----------
    mean : ndarray of shape (|G| d,)
    variance : float
        Mean squared distance of a sample from the mean.
    block_norm : float
        Mean norm of a block.
    digest : str
        Changes with any value, or with the order of the rows; empty if not asked for.
    """

    mean: NDArray[np.float64]
    variance: float
    block_norm: float
    digest: str = ""


def summarise(rows: Rows, order: int, *, with_digest: bool = False) -> DataSummary:
    """Compute the statistics some rows at a time, and refuse NaN and infinity.

    Raises
    ------
    ValueError
        If values are not finite; the message names rows.
    """
    moments = Moments()
    norms = 0.0
    digest = hashlib.blake2b(digest_size=16)
    for part in rows.slices():
        block = rows.read(part, dtype=torch.float64)
        check_finite(block, part.start)
        if with_digest:
            digest.update(block.numpy().data)
        moments.update(block)
        norms += float(block.reshape(len(block), order, -1).norm(dim=2).mean(1).sum())
    return DataSummary(
        moments.mean.numpy(),
        moments.variance,
        norms / len(rows),
        digest.hexdigest() if with_digest else "",
    )
