"""`OrbitBasis`: the coordinates in which orbit stacks vary, fewer than their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.linalg import hadamard
from torch import Tensor

from .._parallel import Item, share_out
from ..groups import CompactFourier, FiniteGroup
from ._spectra import Spectrum, needed_spectra

# Coefficients that are mixed with one another, at most; a power of 2.
_MIXED = 64
# Stacks that are compressed or expanded at once: with their coefficients they stay in the cache.
_ROWS_AT_ONCE = 128
# Rows of a matrix of squares that are computed at once, right of the diagonal alone: of ten by ten
# such blocks 55 are.
_SQUARE_ROWS = 96


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
        Orthonormal coefficients of elements, by irrep and within each by b, then a.
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
        coordinates = stacks.new_empty(len(stacks), self.n_coordinates)

        def project(parts: Iterator[slice]) -> None:
            room = self._room(stacks)
            for part in parts:
                rows = stacks[part]
                coordinates[part] = self._mix(self._project(rows, room[: len(rows)]))

        _share_out(project, _parts(stacks), stacks.device)
        return coordinates

    def expand(self, coordinates: Tensor, elements: slice = slice(None)) -> Tensor:
        """Orbit stacks (n, |G| d) with given coordinates (n, r), or blocks of some elements."""
        columns = self.columns[elements]
        stacks = coordinates.new_empty(len(coordinates), len(columns), self._n_channels)

        def combine(parts: Iterator[slice]) -> None:
            room = self._room(coordinates)
            for part in parts:
                rows = coordinates[part]
                coefficients = self._coefficients(rows, room[: len(rows)])
                torch.matmul(columns, coefficients, out=stacks[part])

        _share_out(combine, _parts(coordinates), coordinates.device)
        return stacks.flatten(1)

    @property
    def _n_channels(self) -> int:
        return self.axes[0].shape[1] // self.group.irreps[0].multiplicity

    def _room(self, rows: Tensor) -> Tensor:
        """Memory for the coefficients of some rows: to get it takes as long as a product."""
        n = min(len(rows), _ROWS_AT_ONCE)
        return rows.new_empty(n, self.group.order, self._n_channels)

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

    def _project(self, stacks: Tensor, room: Tensor) -> Tensor:
        """Coefficients along the axes, (n, r), by way of those of all blocks, (n, |G|, d)."""
        n, start = len(stacks), 0
        # the other way round, since few rows are multiplied faster than few columns
        projected = stacks.new_empty(self.n_coordinates, n)
        coefficients = torch.matmul(self.columns.T, stacks.reshape(room.shape), out=room)
        for axes, part in zip(self.axes, _by_irrep(coefficients, self.group), strict=True):
            for column in part.unbind(1):
                stop = start + len(axes)
                torch.mm(axes, column.T, out=projected[start:stop])
                start = stop
        return projected.T

    def _coefficients(self, coordinates: Tensor, out: Tensor) -> Tensor:
        """Coefficients (n, |G|, d) of all irreps, b and then a within each."""
        parts = _by_irrep(out, self.group)
        given = self._parts(self._mix(coordinates))
        for axes, part, along in zip(self.axes, parts, given, strict=True):
            for column, coefficient in zip(part.unbind(1), along.unbind(1), strict=True):
                torch.mm(coefficient, axes, out=column)
        return out

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
    total = sum(float(square.diagonal().double().sum()) for square in squares)
    weighed = squares
    if beside is not None and total > 0:
        scale = (total / max(float(beside.double().square().sum()), 1e-30)) ** 0.5
        beside_squares, _ = _squares((scale * rows for rows in beside.split(_ROWS_AT_ONCE)), group)
        weighed = [a + b for a, b in zip(squares, beside_squares, strict=True)]

    # an axis of ρ brings D coordinates, which share what it holds
    costs = [rho.dimension for rho in group.irreps]

    def count(spectra: list[Spectrum]) -> list[int]:
        return _count_axes(spectra, costs, share, least_share, most)

    spectra, counts = needed_spectra(weighed, costs, count)
    # copies: what is pickled takes the memory of the others along
    axes = tuple(spectrum.axes[:n].clone() for spectrum, n in zip(spectra, counts, strict=True))
    inside = sum(
        float(((each @ square) * each).double().sum())
        for each, square in zip(axes, squares, strict=True)
    )
    kept = min(inside / total, 1.0) if total > 0 else 1.0
    return FittedBasis(OrbitBasis.of(group, axes), kept, (1 - kept) * total / max(1, n))


def _count_axes(
    spectra: list[Spectrum],
    costs_of: list[int],
    share: float,
    least_share: float | None,
    most: float,
) -> list[int]:
    """How many axes of each irrep are needed: see `fit_basis`."""
    values = torch.cat([spectrum.values for spectrum in spectra])
    irreps = torch.cat(
        [torch.full_like(each.values, i, dtype=torch.int64) for i, each in enumerate(spectra)]
    )
    costs = torch.tensor(costs_of, dtype=torch.int64, device="cpu")[irreps]
    order = (values / costs).argsort(descending=True, stable=True)
    held = values[order].cumsum(0)
    total = float(held[-1]) + sum(spectrum.rest for spectrum in spectra)

    def enough_for(share: float) -> int:
        return min(int((held < share * total).sum()) + 1, len(order))

    enough = enough_for(share)
    if least_share is not None:
        affordable = int((costs[order].cumsum(0) <= most).sum())
        enough = min(enough, max(affordable, enough_for(least_share)))
    return torch.bincount(irreps[order[:enough]], minlength=len(spectra)).tolist()


def _squares(stacks: Iterable[Tensor], group: FiniteGroup) -> tuple[list[Tensor], int]:
    """Squares of stacks in each irrep, (D / t * d, D / t * d), on the CPU; and their number."""
    forward = _columns(CompactFourier(group)).T
    squares: list[Tensor] = []
    room: Tensor | None = None
    n = 0
    for chunk in stacks:
        blocks = chunk.reshape(len(chunk), group.order, -1)
        if room is None or len(room) < len(chunk):  # fresh memory would take as long as a product
            room = torch.empty_like(blocks)
        coefficients = torch.matmul(forward.to(chunk.device), blocks, out=room[: len(chunk)])
        parts = _by_irrep(coefficients, group)
        if not squares:
            squares = [part.new_zeros(part.shape[2], part.shape[2]) for part in parts]
        _share_out(_add_squares, zip(squares, parts, strict=True), chunk.device)
        n += len(chunk)
    return [(square.triu() + square.triu(1).T).cpu() for square in squares], n


def _add_squares(of_irreps: Iterator[tuple[Tensor, Tensor]]) -> None:
    """Add ``rows.T @ rows`` right of the diagonal, and here and there left of it.

    Sums over chunks are no less exact in float32 than the products are themselves.
    """
    for square, part in of_irreps:
        for rows in part.unbind(1):
            for start in range(0, len(square), _SQUARE_ROWS):
                left = rows[:, start : start + _SQUARE_ROWS]
                square[start : start + _SQUARE_ROWS, start:].addmm_(left.T, rows[:, start:])


def _parts(rows: Tensor) -> list[slice]:
    starts = range(0, len(rows), _ROWS_AT_ONCE)
    return [slice(start, start + _ROWS_AT_ONCE) for start in starts]


def _share_out(
    work: Callable[[Iterator[Item]], None], items: Iterable[Item], device: torch.device
) -> None:
    """Let threads take items in turn; a GPU is asked by one."""
    if device.type == "cpu":
        share_out(work, items)
    else:
        work(iter(items))


def _by_irrep(coefficients: Tensor, group: FiniteGroup) -> list[Tensor]:
    """Views (n, D, D / t * d) of coefficients (n, |G|, d): column b, and rows a side by side."""
    parts = coefficients.split([rho.dimension * rho.multiplicity for rho in group.irreps], dim=1)
    return [
        part.view(len(part), rho.dimension, -1)
        for part, rho in zip(parts, group.irreps, strict=True)
    ]


def _count_coordinates(group: FiniteGroup, axes: tuple[Tensor, ...]) -> int:
    return sum(len(each) * rho.dimension for each, rho in zip(axes, group.irreps, strict=True))


def _columns(fourier: CompactFourier) -> Tensor:
    """Orthonormal coefficients, (order, order): of elements, by irrep, within each by b, then a."""
    orthogonal = fourier.forward * np.sqrt(fourier.weights)[:, None]
    parts = np.split(orthogonal, np.cumsum(fourier.sizes)[:-1])
    by_column = [
        part.reshape(*shape, -1).transpose(1, 0, 2).reshape(len(part), -1)
        for part, shape in zip(parts, fourier.shapes, strict=True)
    ]
    columns = np.concatenate(by_column).T
    return torch.tensor(np.ascontiguousarray(columns), dtype=torch.float32, device="cpu")
