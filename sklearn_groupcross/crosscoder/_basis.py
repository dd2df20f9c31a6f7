"""`OrbitBasis`: the coordinates in which orbit stacks vary, fewer than their columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.linalg import hadamard
from torch import Tensor

from .._stacks._coefficients import coefficients_by_column
from ..groups import CompactFourier, FiniteGroup

# Coefficients that are mixed with one another, at most; a power of 2.
_MIXED = 64
# Stacks that are compressed or expanded at once.
_ROWS_AT_ONCE = 512


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
    columns : Tensor of shape (order, order)
        Orthonormal coefficients of elements, by irrep and (a, b) within each.
    matrices : tuple of Tensor of shape (order, D, D)
        Of the irreps.
    mixing : Tensor of shape (size, size)
        A symmetric Hadamard matrix that is its own inverse.
    """

    group: FiniteGroup
    axes: tuple[Tensor, ...]
    columns: Tensor
    matrices: tuple[Tensor, ...]
    mixing: Tensor

    @classmethod
    def of(cls, group: FiniteGroup, axes: tuple[Tensor, ...]) -> OrbitBasis:
        """Make the basis of its axes, on the CPU."""
        n_coordinates = _count_coordinates(group, axes)
        size = 1
        while 2 * size <= min(_MIXED, n_coordinates):
            size *= 2
        return cls(
            group,
            tuple(each.cpu() for each in axes),
            _columns(CompactFourier(group)),
            tuple(
                torch.tensor(rho.matrices, dtype=torch.float32, device="cpu")
                for rho in group.irreps
            ),
            torch.tensor(hadamard(size) / np.sqrt(size), dtype=torch.float32, device="cpu"),
        )

    @property
    def n_coordinates(self) -> int:
        """Length of a sample in these coordinates."""
        return _count_coordinates(self.group, self.axes)

    def on(self, device: torch.device) -> OrbitBasis:
        """Return the same basis on a device."""
        return replace(
            self,
            axes=tuple(axes.to(device) for axes in self.axes),
            columns=self.columns.to(device),
            matrices=tuple(matrix.to(device) for matrix in self.matrices),
            mixing=self.mixing.to(device),
        )

    def compress(self, stacks: Tensor) -> Tensor:
        """Coordinates (n, r) of orbit stacks (n, |G| d); what is outside of their span is lost."""
        return torch.cat([self._mix(self._project(rows)) for rows in stacks.split(_ROWS_AT_ONCE)])

    def expand(self, coordinates: Tensor, elements: slice = slice(None)) -> Tensor:
        """Orbit stacks (n, |G| d) with given coordinates (n, r), or blocks of some elements."""
        columns, n_channels = self.columns[elements], self.axes[0].shape[1]
        stacks = coordinates.new_empty(len(coordinates), len(columns), n_channels)
        for start in range(0, len(coordinates), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            torch.matmul(columns, self._coefficients(coordinates[rows]), out=stacks[rows])
        return stacks.flatten(1)

    def translate(self, coordinates: Tensor, h: int) -> Tensor:
        """Coordinates (n, r) of ``R_h O``: each irrep's matrix of h mixes its columns."""
        if h == self.group.identity:
            return coordinates
        parts = self._parts(self._mix(coordinates))
        moved = [
            (matrices[h] @ part).reshape(len(coordinates), -1)
            for matrices, part in zip(self.matrices, parts, strict=True)
        ]
        return self._mix(torch.cat(moved, dim=1))

    def invariant_part(self, coordinates: Tensor) -> Tensor:
        """Coordinates (n, r) of what translations leave alone: the same in every block."""
        # float64: this is done to few numbers again and again
        wide = replace(self, mixing=self.mixing.double())
        coefficients = wide._mix(coordinates.double())
        coefficients[:, len(self.axes[0]) :] = 0.0
        return wide._mix(coefficients).to(coordinates.dtype)

    def _project(self, stacks: Tensor) -> Tensor:
        """Coefficients along the axes, (n, r)."""
        blocks = stacks.reshape(len(stacks), self.group.order, -1)
        fourier = CompactFourier(self.group)
        parts = coefficients_by_column(blocks, self.columns.T, fourier)
        return torch.cat(
            [
                (part.flatten(2) @ axes.T).reshape(len(stacks), -1)
                for part, axes in zip(parts, self.axes, strict=True)
            ],
            dim=1,
        )

    def _coefficients(self, coordinates: Tensor) -> Tensor:
        """Coefficients (n, |G|, d) of all irreps, (a, b) within each."""
        n, blocks = len(coordinates), []
        parts = self._parts(self._mix(coordinates))
        for rho, axes, part in zip(self.group.irreps, self.axes, parts, strict=True):
            by_column = (part @ axes).reshape(n, rho.dimension, rho.multiplicity, -1)
            by_row = by_column.transpose(1, 2)
            blocks.append(by_row.reshape(n, rho.multiplicity * rho.dimension, -1))
        return torch.cat(blocks, dim=1)

    def _mix(self, coefficients: Tensor) -> Tensor:
        """Mix coefficients (n, r) in groups that reach over all of them; twice is not at all."""
        n, size = len(coefficients), len(self.mixing)
        n_groups = coefficients.shape[1] // size
        mixed, rest = coefficients.split([n_groups * size, coefficients.shape[1] % size], dim=1)
        mixed = self.mixing @ mixed.reshape(n, size, n_groups)
        return torch.cat([mixed.reshape(n, -1), rest], dim=1)

    def _parts(self, coefficients: Tensor) -> Iterator[Tensor]:
        """Coefficients (n, D, p) of each irrep."""
        start = 0
        for rho, axes in zip(self.group.irreps, self.axes, strict=True):
            stop = start + rho.dimension * len(axes)
            part = coefficients[:, start:stop]
            yield part.reshape(len(coefficients), rho.dimension, len(axes))
            start = stop


@dataclass(frozen=True)
class FittedBasis:
    """A basis, and what it holds of the stacks that it was made of.

    Attributes
    ----------
    basis : OrbitBasis
        On the CPU.
    kept : float
        Share of their squares that it holds; 1 if all are zero.
    lost : float
        Mean square of what is outside of it.
    """

    basis: OrbitBasis
    kept: float
    lost: float


def fit_basis(
    stacks: Iterable[Tensor],
    group: FiniteGroup,
    share: float,
    beside: Tensor | None = None,
    *,
    least_share: float | None = None,
    most: float = float("inf"),
) -> FittedBasis:
    """Fewest coordinates that hold a share of the squares of centred orbit stacks.

    Parameters
    ----------
    stacks : iterable of Tensor of shape (n, |G| d)
        Centred; some rows at a time.
    group : FiniteGroup
    share : float
        In (0, 1].
    beside : Tensor of shape (m, |G| d), optional
        Stacks that count as much as all the others together, such as atoms that are there already.
    least_share : float, optional
        Where `share` takes more than `most` coordinates, as many are kept as `most` allows, but no
        fewer than hold this share. Default: `share`.
    most : float, optional
    """
    squares, n = _squares(stacks, group)
    total = sum(float(square.diagonal().sum()) for square in squares)
    weighed = squares
    if beside is not None and total > 0:
        scale = (total / max(float(beside.double().square().sum()), 1e-30)) ** 0.5
        beside_squares, _ = _squares((scale * rows for rows in beside.split(_ROWS_AT_ONCE)), group)
        weighed = [a + b for a, b in zip(squares, beside_squares, strict=True)]
    spectra = [torch.linalg.eigh(square) for square in weighed]
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

    def enough_for(share: float) -> int:
        return min(int((held < share * held[-1]).sum()) + 1, len(order))

    enough = enough_for(share)
    if least_share is not None:
        affordable = int((costs[order].cumsum(0) <= most).sum())
        enough = min(enough, max(affordable, enough_for(least_share)))
    chosen = torch.zeros_like(values, dtype=torch.bool)
    chosen[order[:enough]] = True
    axes, inside, start = [], 0.0, 0
    for spectrum, square in zip(spectra, squares, strict=True):
        chosen_axes = spectrum.eigenvectors[:, chosen[start : start + len(square)]].T.flip(0)
        inside += float(((chosen_axes @ square) * chosen_axes).sum())
        axes.append(chosen_axes.float().contiguous())
        start += len(square)
    kept = min(inside / total, 1.0) if total > 0 else 1.0
    return FittedBasis(OrbitBasis.of(group, tuple(axes)), kept, (1 - kept) * total / max(1, n))


def _squares(stacks: Iterable[Tensor], group: FiniteGroup) -> tuple[list[Tensor], int]:
    """Squares of stacks in each irrep, (D / t * d, D / t * d), on the CPU; and their number."""
    fourier = CompactFourier(group)
    columns = _columns(fourier)
    squares: list[Tensor] = []
    n = 0
    for chunk in stacks:
        blocks = chunk.reshape(len(chunk), group.order, -1)
        parts = coefficients_by_column(blocks, columns.T.to(chunk.device), fourier)
        rows = [part.flatten(2).flatten(0, 1) for part in parts]
        products = [(each.T @ each).double().cpu() for each in rows]
        if squares:
            products = [a.add_(b) for a, b in zip(squares, products, strict=True)]
        squares = products
        n += len(chunk)
    return squares, n


def _count_coordinates(group: FiniteGroup, axes: tuple[Tensor, ...]) -> int:
    return sum(len(each) * rho.dimension for each, rho in zip(axes, group.irreps, strict=True))


def _columns(fourier: CompactFourier) -> Tensor:
    """Orthonormal coefficients, (order, order): of elements, by irrep and (a, b) within each."""
    orthogonal = fourier.forward * np.sqrt(fourier.weights)[:, None]
    return torch.tensor(np.ascontiguousarray(orthogonal.T), dtype=torch.float32, device="cpu")
