"""Right translation of coordinates, compiled: sample by sample, while one is in the cache."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._compiled import compiled
from .._parallel import sharing
from ._basis import OrbitBasis

# Numbers from which compiled loops are worth loading: they take a tenth of the time.
_MANY = 1 << 16


def translate_coordinates(basis: OrbitBasis, coordinates: Tensor, h: int) -> Tensor:
    """`OrbitBasis.translate`, to rounding; on the CPU the fastest way."""
    is_large = coordinates.device.type == "cpu" and coordinates.numel() >= _MANY
    if not is_large or h == basis.group.identity:
        return basis.translate(coordinates, h)
    given = coordinates.contiguous()
    out = torch.empty_like(given)
    action = (
        torch.cat([each[h].flatten() for each in basis.matrices]).numpy(),
        np.array([rho.dimension for rho in basis.group.irreps]),
        np.array([len(each) for each in basis.axes]),
    )
    with sharing() as run:
        n, size = len(given), len(basis.mixing)
        run(_translate_rows, n, given.numpy(), size, *action, out.numpy())
    return out


@compiled
def _mix(row: NDArray[np.float32], size: int) -> None:
    """Mix a row as `OrbitBasis` does, by sums and differences.

    A Hadamard matrix of Sylvester's kind is a product of as many simple ones as `size` has factors.
    """
    n_groups = len(row) // size
    mixed = row[: n_groups * size]
    reach = n_groups
    while reach < len(mixed):
        for low in range(0, len(mixed), 2 * reach):
            first, second = mixed[low : low + reach], mixed[low + reach : low + 2 * reach]
            for i in range(len(first)):
                total, difference = first[i] + second[i], first[i] - second[i]
                first[i] = total
                second[i] = difference
        reach *= 2
    scale = np.float32(1 / np.sqrt(size))
    for i in range(len(mixed)):
        mixed[i] *= scale


@compiled
def _translate_rows(
    coordinates: NDArray[np.float32],
    size: int,
    matrices: NDArray[np.float32],
    dimensions: NDArray[np.int64],
    n_axes: NDArray[np.int64],
    out: NDArray[np.float32],
    first: int,
    last: int,
) -> None:
    """Translate some rows.

    Parameters
    ----------
    coordinates : (n, r)
    size : int
        Of the Hadamard matrix.
    matrices : (Σ D²,)
        Of the element in each irrep, row by row, one irrep after the other.
    dimensions, n_axes : (n_irreps,)
        D of each irrep, and its axes, which have D coefficients each.
    out : (n, r)
    """
    coefficients = np.empty(coordinates.shape[1], np.float32)
    for row in range(first, last):
        coefficients[:] = coordinates[row]
        _mix(coefficients, size)
        moved = out[row]
        start = place = 0
        for irrep in range(len(dimensions)):
            n = n_axes[irrep]
            for a in range(dimensions[irrep]):
                target = moved[start + a * n : start + (a + 1) * n]
                target[:] = 0
                for b in range(dimensions[irrep]):
                    weight = matrices[place]
                    source = coefficients[start + b * n : start + (b + 1) * n]
                    for i in range(len(target)):
                        target[i] += weight * source[i]
                    place += 1
            start += dimensions[irrep] * n
        _mix(moved, size)
