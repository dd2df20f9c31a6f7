"""What training asks of the data before it starts: moments, a check, a fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .._stacks._moments import Moments
from .._stacks._rows import Rows, check_finite

#: From this distance from zero, in units of the spread, float32 would lose digits that matter: of
#: centred values it has 14 bits or fewer.
FAR = 1000.0


@dataclass(frozen=True)
class DataSummary:
    """Statistics of the training data, from one pass over its rows.

    Attributes
    ----------
    mean : ndarray of shape (|G| d,)
    variance : float
        Mean squared distance of a sample from the mean.
    digest : str
        Changes with any value, or with the order of the rows; empty if not asked for.
    """

    mean: NDArray[np.float64]
    variance: float
    digest: str = ""

    @property
    def distance(self) -> float:
        """How far the mean is from zero, beside the spread; 0 where there is none."""
        if self.variance == 0:
            return 0.0
        return float(np.sqrt(self.mean @ self.mean / self.variance))


def summarize(rows: Rows, *, with_digest: bool = False) -> DataSummary:
    """Compute the statistics some rows at a time, and refuse NaN and infinity.

    Raises
    ------
    ValueError
        If values are not finite; the message names rows.
    """
    moments = Moments(rows.shape[1])
    digest = hashlib.blake2b(digest_size=16)
    parts = list(rows.slices())
    dtype = torch.float64 if rows.dtype == np.float64 else torch.float32
    read = rows.read_parts(parts, dtype=dtype, to_change=False)
    wide = np.empty((parts[0].stop, rows.shape[1]) if with_digest else 0)
    for part, block in zip(parts, read, strict=True):
        check_finite(block, range(part.start, part.stop))
        values = block.numpy()
        if with_digest:
            # of float64, whatever the type; fresh memory for that would take half as long again
            np.copyto(wide[: len(values)], values)
            digest.update(wide[: len(values)].data)
        moments.update(values)
    return DataSummary(
        moments.mean,
        moments.variance,
        digest.hexdigest() if with_digest else "",
    )
