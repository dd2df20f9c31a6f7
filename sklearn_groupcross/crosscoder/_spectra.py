"""Principal axes of matrices of squares, as many of them as turn out to be needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .._parallel import share_out

# Axes that are looked for at first. Half of them are trusted: those beyond converge slowly.
_LEADING = 128
# Twice as many multiplications by the matrix. What the last trusted axis misses has shrunk by the
# ratio of the eigenvalues next to the last sought and next to it, to the power of 12: 1/4096 where
# eigenvalues halve as their number doubles.
_ROUNDS = 3


@dataclass(frozen=True)
class Spectrum:
    """Largest eigenvalues of a symmetric matrix, and what belongs to them.

    Attributes
    ----------
    values : Tensor of shape (p,), float64
        Not negative, falling.
    axes : Tensor of shape (p, size), float32
        Eigenvectors, one a row.
    rest : float
        Sum of the eigenvalues that are not there.
    n_trusted : int
        How many of the axes are as good as exact.
    """

    values: Tensor
    axes: Tensor
    rest: float
    n_trusted: int


def needed_spectra(
    squares: Sequence[Tensor],
    costs: Sequence[int],
    count: Callable[[list[Spectrum]], list[int]],
) -> tuple[list[Spectrum], list[int]]:
    """Spectra of matrices, with as many exact axes of each as are asked for.

    Parameters
    ----------
    squares : sequence of Tensor of shape (size, size), float32
        Symmetric and positive semidefinite, on the CPU.
    costs : sequence of int
        Of an axis of each.
    count : callable
        How many axes of each are needed, as far as given spectra tell: those whose eigenvalue
        divided by their cost is largest.

    Returns
    -------
    spectra : list of Spectrum
    counts : list of int
        What `count` says of them.
    """
    spectra = _each(leading_spectrum, squares)
    while True:
        counts = count(spectra)
        # of the axes that are needed and not exact the best: those before it are not enough,
        # whatever else will be found
        missing = {
            float(spectra[i].values[spectra[i].n_trusted]) / costs[i]: i
            for i, n in enumerate(counts)
            if n > spectra[i].n_trusted
        }
        if not missing:
            return spectra, counts
        i = missing[max(missing)]
        spectra[i] = _each(whole_spectrum, [squares[i]])[0]


def _each(find: Callable[[Tensor], Spectrum], squares: Sequence[Tensor]) -> list[Spectrum]:
    """Spectra of matrices, of each by one thread."""
    found: dict[int, Spectrum] = {}

    def work(numbers: Iterator[int]) -> None:
        found.update((i, find(squares[i])) for i in numbers)

    share_out(work, range(len(squares)))
    return [found[i] for i in range(len(squares))]


def whole_spectrum(square: Tensor) -> Spectrum:
    """All of the spectrum."""
    values, vectors = torch.linalg.eigh(square)
    values = values.flip(0).double().clamp_min(0.0)
    return Spectrum(values, vectors.flip(1).T.contiguous(), 0.0, len(square))


def leading_spectrum(square: Tensor) -> Spectrum:
    """Some of the largest eigenvalues, by subspace iteration from random directions.

    Halko, Martinsson and Tropp, "Finding structure with randomness" (2011), algorithm 4.4. Of
    small matrices all.
    """
    size = len(square)
    if size <= 2 * _LEADING:
        return whole_spectrum(square)
    generator = torch.Generator(device="cpu").manual_seed(0)
    basis = torch.randn(size, _LEADING, generator=generator, dtype=torch.float32, device="cpu")
    for _ in range(_ROUNDS):
        basis = torch.linalg.qr(square @ (square @ basis)).Q
    found = whole_spectrum(basis.T @ square @ basis)
    rest = float(square.diagonal().double().sum() - found.values.sum())
    return Spectrum(found.values, found.axes @ basis.T, max(0.0, rest), _LEADING // 2)
