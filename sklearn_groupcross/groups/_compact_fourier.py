"""The Fourier transform of a finite group without repetitions: as many coefficients as blocks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ._finite_group import FiniteGroup


class CompactFourier:
    """Matrices of the Fourier transform that holds each number once.

    An irrep of complex or quaternionic type repeats each coefficient in ``t`` rows; here stand the
    independent rows alone, ``rows @ Ŵ(ρ)``: over all irreps |G| numbers, irrep after irrep, each
    matrix row by row. See `Irrep.independent_rows`, and `GroupFourier` for all coefficients.

    Parameters
    ----------
    group : FiniteGroup

    Attributes
    ----------
    shapes : list of (int, int)
        Rows and columns of each irrep's coefficients, ``(D / t, D)``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_groupcross.groups import CompactFourier, Quaternion
    >>> fourier = CompactFourier(Quaternion())
    >>> blocks = np.random.default_rng(0).standard_normal((8, 3))
    >>> coefficients = fourier.forward @ blocks
    >>> np.allclose(fourier.forward.T * fourier.weights @ coefficients, blocks)
    True
    """

    def __init__(self, group: FiniteGroup) -> None:
        self.group = group
        self.shapes = [(rho.multiplicity, rho.dimension) for rho in group.irreps]

    @property
    def sizes(self) -> list[int]:
        """Number of each irrep's coefficients."""
        return [n_rows * n_columns for n_rows, n_columns in self.shapes]

    @cached_property
    def forward(self) -> NDArray[np.float64]:
        """Coefficients of elements, (order, order): ``forward @ blocks`` are those of blocks."""
        order = self.group.order
        return np.concatenate(
            [
                (rho.independent_rows @ rho.matrices).reshape(order, -1).T
                for rho in self.group.irreps
            ]
        )

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """``D / |G|`` of every coefficient, (order,).

        ``forward.T * weights`` is the inverse, and ``forward * sqrt(weights)[:, None]`` orthogonal.
        """
        order = self.group.order
        return np.concatenate(
            [
                np.full(size, rho.dimension / order)
                for size, rho in zip(self.sizes, self.group.irreps, strict=True)
            ]
        )

    @cached_property
    def correlations(self) -> NDArray[np.float64]:
        """Take products of coefficients to correlations at all elements, (order, Σ D²).

        ``Σ_g ⟨W_i[g], W_j[gh]⟩ = Σ_ρ D/|G| Σ_bc ρ(h)[b, c] Σ_a ⟨Ŵ_i(ρ)[a, b], Ŵ_j(ρ)[a, c]⟩``, a
        over the independent rows alone, which is why D/|G| is not divided by t. Products stand
        irrep after irrep, by b and then by c.
        """
        order = self.group.order
        return np.concatenate(
            [rho.dimension / order * rho.matrices.reshape(order, -1) for rho in self.group.irreps],
            axis=1,
        )
