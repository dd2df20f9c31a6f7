"""`OrbitBasis`: the coordinates in which orbit stacks vary, fewer than their columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.linalg import hadamard
from torch import Tensor

from ..groups import FiniteGroup, Irrep

# Coefficients that are mixed with one another, at most; a power of 2.
_MIXED = 64
_EXPANDED_AT_ONCE = 512


@dataclass(frozen=True)
class OrbitBasis:
    """Principal axes of orbit stacks, isotypic component by isotypic component.

    Coefficients ``Ô(ρ)[a, b]`` of an orbit are moved by right translation along b alone, so axes
    over rows a and channels, shared by all columns b, span a space that translation leaves where it
    is. Along them, irrep ρ has (D, p) coefficients, b by axis.

    Coordinates are these coefficients, mixed by Hadamard matrices so that each holds about as much
    of the variance as any other: Adam moves every number alike, and along principal axes it would
    learn the noise of the last as fast as the signal of the first. All of this is orthonormal, so
    that norms and inner products within the span are those of orbit stacks.

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

    def on(self, device: torch.device) -> OrbitBasis:
        """Return the same basis on a device."""
        return replace(self, axes=tuple(axes.to(device) for axes in self.axes))

    def compress(self, stacks: Tensor) -> Tensor:
        """Coordinates (n, r) of orbit stacks (n, |G| d); what is outside of their span is lost."""
        parts = _components(stacks, self.group)
        coefficients = [
            (part @ axes.T).reshape(len(stacks), -1)
            for part, axes in zip(parts, self.axes, strict=True)
        ]
        return self._mix(torch.cat(coefficients, dim=1))

    def expand(self, coordinates: Tensor, elements: slice = slice(None)) -> Tensor:
        """Orbit stacks (n, |G| d) with given coordinates (n, r), or blocks of some elements."""
        columns = coordinates.new_tensor(_columns(self.group)[elements])
        return torch.cat(
            [
                (columns @ self._coefficients(some)).reshape(len(some), -1)
                for some in coordinates.split(_EXPANDED_AT_ONCE)
            ]
        )

    def _coefficients(self, coordinates: Tensor) -> Tensor:
        """Coefficients (n, |G|, d) of all irreps, (a, b) within each."""
        n = len(coordinates)
        parts = [
            (part @ axes).reshape(n, rho.dimension, rho.multiplicity, -1).transpose(1, 2)
            for rho, axes, part in self._each(self._mix(coordinates))
        ]
        n_channels = parts[0].shape[-1]
        return torch.cat([part.reshape(n, -1, n_channels) for part in parts], dim=1)

    def translate(self, coordinates: Tensor, h: int) -> Tensor:
        """Coordinates (n, r) of ``R_h O``: each irrep's matrix of h mixes its columns."""
        if h == self.group.identity:
            return coordinates
        moved = [
            (part.new_tensor(rho.matrices[h]) @ part).reshape(len(coordinates), -1)
            for rho, _, part in self._each(self._mix(coordinates))
        ]
        return self._mix(torch.cat(moved, dim=1))

    def invariant_part(self, coordinates: Tensor) -> Tensor:
        """Coordinates (n, r) of what translations leave alone: the same in every block."""
        coefficients = self._mix(coordinates)
        coefficients[:, len(self.axes[0]) :] = 0.0
        return self._mix(coefficients)

    def _mix(self, coefficients: Tensor) -> Tensor:
        """Mix coefficients (n, r) in groups that reach over all of them; twice is not at all."""
        size = 1
        while 2 * size <= min(_MIXED, coefficients.shape[1]):
            size *= 2
        n_groups = coefficients.shape[1] // size
        mixed, rest = coefficients.split([n_groups * size, coefficients.shape[1] % size], dim=1)
        matrix = coefficients.new_tensor(hadamard(size) / np.sqrt(size))
        mixed = matrix @ mixed.reshape(len(coefficients), size, n_groups)
        return torch.cat([mixed.reshape(len(coefficients), -1), rest], dim=1)

    def _each(self, coefficients: Tensor) -> Iterator[tuple[Irrep, Tensor, Tensor]]:
        """Irreps with their axes (p, D / t * d) and their part (n, D, p) of coefficients."""
        start = 0
        for rho, axes in zip(self.group.irreps, self.axes, strict=True):
            stop = start + rho.dimension * len(axes)
            part = coefficients[:, start:stop]
            yield rho, axes, part.reshape(len(coefficients), rho.dimension, len(axes))
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


def _columns(group: FiniteGroup) -> np.ndarray:
    """Orthonormal coefficients, (order, order): of elements, by irrep and (a, b) within each."""
    matrices = [
        np.sqrt(rho.dimension / group.order) * (rho.independent_rows @ rho.matrices)
        for rho in group.irreps
    ]
    return np.concatenate([matrix.reshape(group.order, -1) for matrix in matrices], axis=1)


def _components(stacks: Tensor, group: FiniteGroup) -> list[Tensor]:
    """Orthonormal coefficients of orbit stacks: for each irrep (n, D, D / t * d), by column b."""
    n = len(stacks)
    coefficients = stacks.new_tensor(_columns(group).T) @ stacks.reshape(n, group.order, -1)
    sizes = [rho.multiplicity * rho.dimension for rho in group.irreps]
    return [
        part.reshape(n, rho.multiplicity, rho.dimension, -1)
        .transpose(1, 2)
        .reshape(n, rho.dimension, -1)
        for part, rho in zip(coefficients.split(sizes, dim=1), group.irreps, strict=True)
    ]
