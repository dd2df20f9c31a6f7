"""Fourier coefficients of orbit stacks, irrep by irrep."""

from __future__ import annotations

from torch import Tensor

from ..groups import CompactFourier


def coefficients_by_column(
    stacks: Tensor, forward: Tensor, fourier: CompactFourier
) -> list[Tensor]:
    """Transform orbit stacks, and part what right translations leave apart.

    Parameters
    ----------
    stacks : Tensor of shape (n, order, n_channels)
    forward : Tensor of shape (order, order)
        `CompactFourier.forward`, or multiples of its rows, where the stacks are.
    fourier : CompactFourier

    Returns
    -------
    coefficients : list of Tensor
        For each irrep a view of shape (n, D, D / t, n_channels): column b, row a, channel.
        Translations mix columns alone.
    """
    n = len(stacks)
    parts = (forward @ stacks).split(fourier.sizes, dim=1)
    return [
        part.reshape(n, n_rows, n_columns, -1).transpose(1, 2)
        for part, (n_rows, n_columns) in zip(parts, fourier.shapes, strict=True)
    ]
