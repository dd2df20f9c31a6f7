"""Hypothesis strategies for code that works with groups and orbits. Needs the extra ``test``.

>>> from hypothesis import given
>>> from sklearn_groupcross.testing import groups_with_elements
>>> @given(groups_with_elements(2))
... def test_inverse_of_a_product(case):
...     group, (a, b) = case
...     product = group.multiply(group.inverse(b), group.inverse(a))
...     assert group.inverse(group.multiply(a, b)) == product
>>> test_inverse_of_a_product()
"""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from .groups import (
    Alternating,
    Cyclic,
    Dihedral,
    FiniteGroup,
    PlanarGroup,
    Quaternion,
    SemidirectProduct,
    Subgroup,
    Symmetric,
    Trivial,
)

__all__ = [
    "elements",
    "equivariant_stacks",
    "groups",
    "groups_with_elements",
    "orbit_stacks",
    "permutation_groups",
    "planar_groups",
    "subgroups",
]


def planar_groups(max_turns: int = 12) -> st.SearchStrategy[PlanarGroup]:
    """Trivial, cyclic and dihedral groups of at most `max_turns` rotations.

    Parameters
    ----------
    max_turns : int, default=12

    Returns
    -------
    strategy : SearchStrategy of PlanarGroup
    """
    turns = st.integers(1, max_turns)
    return st.one_of(st.just(Trivial()), turns.map(Cyclic), turns.map(Dihedral))


@st.composite
def permutation_groups(draw: st.DrawFn, n_points: int = 5, max_order: int = 120) -> FiniteGroup:
    """Groups that two random permutations generate, most of them not abelian."""
    permutations = st.permutations(range(n_points))
    generators = [draw(permutations), draw(permutations)]
    group = FiniteGroup.from_permutations(*generators)
    assume(group.order <= max_order)
    return group


def groups(*, abelian: bool | None = None, max_order: int = 120) -> st.SearchStrategy[FiniteGroup]:
    """Groups of all families, with irreps of real, complex and quaternionic type among them.

    Parameters
    ----------
    abelian : bool, optional
        Only abelian groups, or only others. Default: both.
    max_order : int, default=120

    Returns
    -------
    strategy : SearchStrategy of FiniteGroup
    """
    frobenius = SemidirectProduct(
        Cyclic(7), Cyclic(3), [[m * 2**h % 7 for m in range(7)] for h in range(3)]
    )
    binary_tetrahedral = FiniteGroup.from_matrices(
        [[0, 1], [-1, 0]], [[1j, 0], [0, -1j]], np.array([[1 + 1j, 1 + 1j], [-1 + 1j, 1 - 1j]]) / 2
    )  # SL(2, 3)
    named: list[FiniteGroup] = [
        Symmetric(3),
        Symmetric(4),
        Alternating(4),
        Alternating(5),
        Quaternion(),
        Cyclic(3) * Symmetric(3),
        Cyclic(3) * Quaternion(),
        Cyclic(2) * Cyclic(4),
        Dihedral(3) * Cyclic(2),
        Cyclic(6).named(["identity", *(f"shift by {k} of 6" for k in range(1, 6))]),
        frobenius,
        binary_tetrahedral,
    ]
    every = st.one_of(
        st.sampled_from(named), planar_groups(), permutation_groups(max_order=max_order)
    )
    return every.filter(
        lambda group: group.order <= max_order and abelian in (None, group.is_abelian)
    )


def elements(group: FiniteGroup) -> st.SearchStrategy[int]:
    """Indices of elements of a group.

    Parameters
    ----------
    group : FiniteGroup

    Returns
    -------
    strategy : SearchStrategy of int
    """
    return st.integers(0, group.order - 1)


def subgroups(group: FiniteGroup) -> st.SearchStrategy[Subgroup]:
    """Subgroups of a group of at most 128 elements.

    Parameters
    ----------
    group : FiniteGroup

    Returns
    -------
    strategy : SearchStrategy of Subgroup
    """
    return st.sampled_from(group.subgroups())


@st.composite
def groups_with_elements(
    draw: st.DrawFn, n_elements: int = 1, *, abelian: bool | None = None
) -> tuple[FiniteGroup, list[int]]:
    """Draw a group and some of its elements."""
    group = draw(groups(abelian=abelian))
    return group, [draw(elements(group)) for _ in range(n_elements)]


@st.composite
def orbit_stacks(
    draw: st.DrawFn, group: FiniteGroup, n_samples: int = 3, n_channels: int = 2
) -> NDArray[np.float64]:
    """Stacks of blocks, (n_samples, order, n_channels), normally distributed, without symmetry."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.standard_normal((n_samples, group.order, n_channels))


@st.composite
def equivariant_stacks(
    draw: st.DrawFn, group: FiniteGroup, n_samples: int = 3
) -> NDArray[np.float64]:
    """Stacks ``O[g] = ρ(g) v`` of a random irrep, (n_samples, order, D).

    What an exactly equivariant network gives: ``⟨O[g], O[h]⟩`` depends on ``g⁻¹ h`` alone.
    """
    irrep = draw(st.sampled_from(group.irreps))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors = rng.standard_normal((n_samples, irrep.dimension))
    return np.einsum("gab,nb->nga", irrep.matrices, vectors)
