"""`OrbitBasis`: the coordinates in which orbit stacks vary, fewer than their columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..groups import FiniteGroup, Irrep


@dataclass(frozen=True)
class OrbitBasis:
    """Principal axes of orbit stacks, isotypic component by isotypic component.

    Coefficients ``Ô(ρ)[a, b]`` of an orbit are moved by right translation along b alone, so axes
    over rows a and channels, shared by all columns b, span a space that translation leaves where it
    is. Coordinates of irrep ρ are (D, p), b by axis; they are orthonormal, so that norms and inner
    products within that space are those of orbit stacks.

    Attributes
    ----------
    group : FiniteGroup
    axes : tuple of Tensor of shape (p, D / t * d), float32
        One for each irrep of the group, with orthonormal rows; p may be 0.
    """

    group: FiniteGroup
    axes: tuple[Tensor, ...]

    @property
    def n_coordinates(self) -> int:
        """Length of a sample in these coordinates."""
        return sum(
            len(axes) * rho.dimension
            for axes, rho in zip(self.axes, self.group.irreps, strict=True)
        )

    @property
    def n_invariant(self) -> int:
        """Coordinates that translations leave alone; they come first."""
        return len(self.axes[0])

    def on(self, device: torch.device) -> OrbitBasis:
        """Return the same basis on a device."""
        return replace(self, axes=tuple(axes.to(device) for axes in self.axes))

    def compress(self, stacks: Tensor) -> Tensor:
        """Coordinates (n, r) of orbit stacks (n, |G| d); what is outside of their span is lost."""
        parts = _components(stacks, self.group)
        return torch.cat(
            [
                (part @ axes.T).reshape(len(stacks), -1)
                for part, axes in zip(parts, self.axes, strict=True)
            ],
            dim=1,
        )

    def expand(self, coordinates: Tensor, elements: slice = slice(None)) -> Tensor:
        """Orbit stacks (n, |G| d) with given coordinates (n, r), or blocks of some elements."""
        n, order = len(coordinates), self.group.order
        blocks = coordinates.new_zeros(n, len(range(order)[elements]), 1)
        for rho, axes, part in self._each(coordinates):
            matrix = _columns(rho)[elements]
            if len(axes) == 0:
                continue
            # (n, b, (a, channel)) to (n, (a, b), channel)
            coefficients = (part @ axes).reshape(n, rho.dimension, rho.multiplicity, -1)
            coefficients = coefficients.transpose(1, 2).reshape(n, matrix.shape[1], -1)
            blocks = blocks + coordinates.new_tensor(matrix) @ coefficients
        return blocks.reshape(n, -1)

    def translate(self, coordinates: Tensor, h: int) -> Tensor:
        """Coordinates (n, r) of ``R_h O``: each irrep's matrix of h mixes its columns."""
        if h == self.group.identity:
            return coordinates
        return torch.cat(
            [
                (part.new_tensor(rho.matrices[h]) @ part).reshape(len(coordinates), -1)
                for rho, _, part in self._each(coordinates)
            ],
            dim=1,
        )

    def _each(self, coordinates: Tensor) -> Iterator[tuple[Irrep, Tensor, Tensor]]:
        """Irreps with their axes (p, D / t * d) and their part (n, D, p) of coordinates."""
        start = 0
        for rho, axes in zip(self.group.irreps, self.axes, strict=True):
            stop = start + rho.dimension * len(axes)
            part = coordinates[:, start:stop]
            yield rho, axes, part.reshape(len(coordinates), rho.dimension, len(axes))
            start = stop


def fit_basis(
    stacks: Iterable[Tensor], group: FiniteGroup, share: float
) -> tuple[OrbitBasis, float]:
    """Fewest coordinates that hold a share of the squares of centred orbit stacks.

    Parameters
    ----------
    stacks : iterable of Tensor of shape (n, |G| d)
        Centred; some rows at a time.
    group : FiniteGroup
    share : float
        In (0, 1].

    Returns
    -------
    basis : OrbitBasis
    kept : float
        The share that it holds; 1 if all stacks are zero.
    """
    squares: list[Tensor] = []
    for some in stacks:
        parts = (part.reshape(-1, part.shape[2]) for part in _components(some, group))
        products = [(rows.T @ rows).double() for rows in parts]
        squares = [a + b for a, b in zip(squares, products, strict=True)] if squares else products
    spectra = [torch.linalg.eigh(square) for square in squares]
    values = torch.cat([spectrum.eigenvalues for spectrum in spectra]).clamp_min(0.0)
    # an axis of ρ brings D coordinates, which share what it holds
    costs = torch.cat(
        [
            torch.full_like(spectrum.eigenvalues, rho.dimension)
            for spectrum, rho in zip(spectra, group.irreps, strict=True)
        ]
    )
    order = (values / costs).argsort(descending=True, stable=True)
    held = values[order].cumsum(0)
    enough = min(int((held < share * held[-1]).sum()) + 1, len(order))
    kept = torch.zeros(len(values), dtype=torch.bool)
    kept[order[:enough]] = True
    axes, start = [], 0
    for spectrum in spectra:
        chosen = kept[start : start + len(spectrum.eigenvalues)]
        axes.append(spectrum.eigenvectors[:, chosen].T.flip(0).float().contiguous())
        start += len(chosen)
    total = float(held[-1])
    return OrbitBasis(group, tuple(axes)), float(held[enough - 1]) / total if total > 0 else 1.0


def _columns(rho: Irrep) -> np.ndarray:
    """Orthonormal columns over the elements, (order, D / t * D), that span a component."""
    matrices = np.sqrt(rho.dimension / rho.group.order) * (rho.independent_rows @ rho.matrices)
    return matrices.reshape(rho.group.order, -1)


def _components(stacks: Tensor, group: FiniteGroup) -> list[Tensor]:
    """Orthonormal coefficients of orbit stacks: for each irrep (n, D, D / t * d), by column b."""
    n = len(stacks)
    blocks = stacks.reshape(n, group.order, -1)
    columns = [_columns(rho) for rho in group.irreps]
    coefficients = stacks.new_tensor(np.concatenate(columns, axis=1).T) @ blocks
    parts = coefficients.split([matrix.shape[1] for matrix in columns], dim=1)
    return [
        part.reshape(n, rho.multiplicity, rho.dimension, -1)
        .transpose(1, 2)
        .reshape(n, rho.dimension, -1)
        for part, rho in zip(parts, group.irreps, strict=True)
    ]
