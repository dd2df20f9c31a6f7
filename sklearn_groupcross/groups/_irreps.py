"""Irreducible real representations, and how any representation is split into them.

Families with a formula for theirs have it in `FiniteGroup._find_irreps`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ._finite_group import FiniteGroup

FloatArray = NDArray[np.float64]

# Eigenvalues of a random matrix, relative to their range: nearer than the first they are one,
# farther apart than the second they are two; anything between asks for another random matrix.
_ONE_EIGENVALUE, _TWO_EIGENVALUES = 1e-9, 1e-5
_ATTEMPTS = 50


@dataclass(frozen=True, eq=False)
class Irrep:
    """An irreducible representation by real orthogonal matrices.

    Attributes
    ----------
    group : FiniteGroup
    name : str
    matrices : ndarray of shape (order, dimension, dimension), float64
        ``matrices[g] @ matrices[h] == matrices[group.multiply(g, h)]``.

    Notes
    -----
    The three types of irreps over the reals are those of [1]_.

    References
    ----------
    .. [1] Jean-Pierre Serre, *Linear Representations of Finite Groups*, Springer (1977), section
       13.2.
    """

    group: FiniteGroup
    name: str
    matrices: FloatArray

    @property
    def dimension(self) -> int:
        """Real dimension D."""
        return self.matrices.shape[1]

    @cached_property
    def character(self) -> FloatArray:
        """Trace of every element's matrix, of shape (order,)."""
        return np.trace(self.matrices, axis1=1, axis2=2)

    @cached_property
    def type(self) -> int:
        """Dimension t of the commutant: 1 real, 2 complex, 4 quaternionic type.

        It is the mean square of the character, ``(1/|G|) Σ_g χ(g)²``.
        """
        return round(float(np.mean(self.character**2)))

    @property
    def multiplicity(self) -> int:
        """How often the irrep occurs in the regular representation, ``D / t``."""
        return self.dimension // self.type

    @property
    def weight(self) -> float:
        """``D / (t |G|)``, the factor of this irrep in inversion, Plancherel and correlation."""
        return self.dimension / (self.type * self.group.order)

    @cached_property
    def independent_rows(self) -> FloatArray:
        """Orthonormal rows, (D / t, D), that no element of the commutant carries into another.

        A coefficient ``Ŵ(ρ)[a, b]`` of an irrep of complex or quaternionic type stands in ``t``
        rows. The rows ``rows @ Ŵ(ρ)`` hold each once: over all irreps they are |G| numbers, with
        ``W[g] = Σ_ρ D/|G| Σ_ab (rows @ ρ(g))[a, b] (rows @ Ŵ(ρ))[a, b]``.
        """
        rows, taken = [], np.empty((0, self.dimension))
        while len(taken) < self.dimension:
            left_over = np.eye(self.dimension) - taken.T @ taken
            norms = np.linalg.norm(left_over, axis=0)
            row = left_over[:, norms.argmax()] / norms.max()
            # Σ_g ρ(g) X ρ(g)ᵀ is in the commutant for every X; of one row it makes t dimensions
            images = np.tensordot(self.matrices, row @ self.matrices, axes=(0, 0))
            left, _, _ = np.linalg.svd(images.reshape(self.dimension, -1))
            taken = np.concatenate([taken, left[:, : self.type].T])
            rows.append(row)
        return np.array(rows)

    def __repr__(self) -> str:
        return f"<Irrep {self.name!r} of {self.group!r}: D = {self.dimension}, t = {self.type}>"


def checked(group: FiniteGroup, irreps: list[Irrep]) -> tuple[Irrep, ...]:
    """Order irreps, the trivial one first, then by dimension, and check that none is missing."""
    found = tuple(
        sorted(irreps, key=lambda rho: (not np.allclose(rho.character, 1), rho.dimension))
    )
    found = (replace(found[0], name="trivial"), *found[1:])
    filled = sum(irrep.dimension**2 / irrep.type for irrep in found)
    if round(filled, 6) != group.order:  # Σ D² / t = |G|
        raise ArithmeticError(
            f"The irreps found for {group!r} fill {filled:g} of {group.order} dimensions."
        )
    for irrep in found:
        irrep.matrices.setflags(write=False)
    return found


def split_regular(group: FiniteGroup) -> list[Irrep]:
    """Split the regular representation into irreps, one of each isomorphism class.

    Right translations are all that commutes with left ones, so ``A[g, k] = a(g⁻¹ k)`` with a
    random ``a(h) = a(h⁻¹)`` is a random symmetric matrix that does. Its eigenspaces are
    irreducible (Dixon 1970), unless two eigenvalues happen to agree.
    """
    quotient = group.cayley_table[group.inverses]  # [g, k] -> g⁻¹ k

    def commuting(rng: np.random.Generator) -> FloatArray:
        a = rng.standard_normal(group.order)
        return (a + a[group.inverses])[quotient]

    spaces = _eigenspaces(commuting)
    translations = quotient  # the same table, read as [h, g] -> h⁻¹ g
    elements = np.arange(group.order)
    irreps: list[Irrep] = []
    for basis in spaces:
        projection = basis @ basis.T
        character = projection[elements, translations].sum(axis=1)
        if any(np.allclose(character, known.character, atol=1e-6) for known in irreps):
            continue
        matrices = np.stack([basis.T @ basis[permutation] for permutation in translations])
        irreps.append(Irrep(group, f"{basis.shape[1]}.{len(irreps)}", matrices))
    return irreps


def split(group: FiniteGroup, name: str, matrices: FloatArray) -> list[Irrep]:
    """Split a small representation into irreps, one of each isomorphism class."""

    def commuting(rng: np.random.Generator) -> FloatArray:
        random = rng.standard_normal(matrices.shape[1:])
        return np.einsum("gij,jk,glk->il", matrices, random + random.T, matrices, optimize=True)

    found: list[Irrep] = []
    for basis in _eigenspaces(commuting):
        part = Irrep(group, f"{name}, part {len(found)}", basis.T @ matrices @ basis)
        if not any(np.allclose(part.character, other.character, atol=1e-6) for other in found):
            found.append(part)
    return found


def _eigenspaces(commuting: Callable[[np.random.Generator], FloatArray]) -> list[FloatArray]:
    """Orthonormal bases of the eigenspaces of a random matrix that commutes with a group."""
    for seed in range(_ATTEMPTS):
        values, vectors = np.linalg.eigh(commuting(np.random.default_rng(seed)))
        span = np.ptp(values)
        gaps = (
            np.diff(values) / span if span > _ONE_EIGENVALUE * np.abs(values).max() else values[:0]
        )
        if not ((gaps > _ONE_EIGENVALUE) & (gaps < _TWO_EIGENVALUES)).any():
            return np.split(vectors, np.flatnonzero(gaps >= _TWO_EIGENVALUES) + 1, axis=1)
    raise ArithmeticError(f"None of {_ATTEMPTS} random matrices split the representation.")
