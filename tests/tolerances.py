"""How far two computations of one number may lie apart.

A sum of n terms depends on their order, and every processor has its own: with 4, 8 or 16 numbers
side by side, with or without a rounding between product and sum, by whatever number of threads.
Each addition rounds by half a unit in the last place at most, eps/2 of what is summed by then, and
the roundings are as good as independent, so that n of them add up like a random walk: two orders
differ by more than ``λ eps sqrt(n) size`` with probability ``2 exp(-λ²/2)`` at most, where ``size``
bounds the sum of the terms' absolute values (Higham and Mary, "A new approach to probabilistic
rounding error analysis", 2019). λ = 6 leaves one number in 30 million.

Equality of bits is for one machine: for the same operations on arrays of the same shape, or where
nothing is computed. A row alone and the same row in a batch are not the same operations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

#: λ above.
_DEVIATIONS = 6.0


def rounding(dtype: Any, length: float, size: float = 1.0) -> float:
    """Bound on the difference of two computations, in the units of `size`.

    Parameters
    ----------
    dtype : numpy or torch dtype
        Type of the numbers that are summed.
    length : float
        How many are summed on the way to a result, those of one stage after another added up.
    size : float
        Of what is summed: the largest sum of absolute values, or a bound such as the product of two
        norms. Never less than the largest result, and more where terms cancel.
    """
    kind = torch.finfo if isinstance(dtype, torch.dtype) else np.finfo
    return _DEVIATIONS * float(kind(dtype).eps) * float(length) ** 0.5 * float(size)


def assert_near(
    found: Any, expected: Any, length: float, size: float | None = None, dtype: Any = None
) -> None:
    """Fail where two arrays differ by more than `rounding` explains.

    Without `size` it is the largest number of `expected`, without `dtype` the coarser of the two.
    """
    found, expected = (
        array.detach().cpu().numpy() if isinstance(array, torch.Tensor) else np.asarray(array)
        for array in (found, expected)
    )
    if dtype is None:
        dtype = max((found.dtype, expected.dtype), key=lambda one: np.finfo(one).eps)
    if size is None:
        size = float(np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=rounding(dtype, length, size))


def assert_same_codes(found: Any, expected: Any, atol: float) -> None:
    """Fail where codes of a top-k differ by more than `atol`, other than by a tie.

    Of two that are equal to rounding either may be the last that is kept.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    least = np.where(expected > 0, expected, np.inf).min(axis=1, keepdims=True)
    of_one_alone = (found == 0) != (expected == 0)
    ties = of_one_alone & (np.abs(np.maximum(found, expected) - least) <= 2 * atol)
    np.testing.assert_allclose(np.where(ties, 0, found), np.where(ties, 0, expected), 0, atol)
    np.testing.assert_array_equal((found > 0).sum(axis=1), (expected > 0).sum(axis=1))
