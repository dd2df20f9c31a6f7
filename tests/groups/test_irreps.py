"""Irreps, characters and the Fourier transform: laws that hold for every type of irrep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from sklearn_groupcross.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    FiniteGroup,
    Quaternion,
    Symmetric,
)
from sklearn_groupcross.testing import groups

EVERY = groups(max_order=64)


NON_ABELIAN = groups(max_order=64, abelian=False)


def commutant(irrep):
    """Orthogonal basis J_k of what commutes with an irrep, with tr(J_kᵀ J_l) = D δ_kl."""
    d = irrep.dimension
    rows = np.concatenate([np.kron(m, np.eye(d)) - np.kron(np.eye(d), m.T) for m in irrep.matrices])
    _, singular, vectors = np.linalg.svd(rows)
    rank = int((singular > 1e-8).sum())
    return vectors[rank:].reshape(-1, d, d) * np.sqrt(d)


@given(EVERY)
def test_irreps_are_orthogonal_homomorphisms(group):
    for irrep in group.irreps:
        products = np.einsum("gij,hjk->ghik", irrep.matrices, irrep.matrices)
        np.testing.assert_allclose(products, irrep.matrices[group.cayley_table], atol=1e-10)
        gram = np.einsum("gji,gjk->gik", irrep.matrices, irrep.matrices)
        np.testing.assert_allclose(
            gram, np.eye(irrep.dimension)[None].repeat(len(gram), 0), atol=1e-10
        )


@given(EVERY)
def test_they_are_all_and_each_once(group):
    assert sum(rho.dimension**2 // rho.type for rho in group.irreps) == group.order
    assert group.irreps[0].name == "trivial"
    np.testing.assert_allclose(group.irreps[0].character, 1)
    assert {rho.type for rho in group.irreps} <= {1, 2, 4}
    characters = np.stack([rho.character for rho in group.irreps])
    gram = characters @ characters.T / group.order
    np.testing.assert_allclose(gram, np.diag([rho.type for rho in group.irreps]), atol=1e-10)
    # real irreps are as many as classes of g together with g⁻¹
    classes = {
        frozenset(c) | frozenset(group.inverses[list(c)].tolist())
        for c in group.conjugacy_classes()
    }
    assert len(group.irreps) == len(classes)
    assert group.character_table.shape == (len(group.irreps), len(group.conjugacy_classes()))


@given(groups(max_order=24))
def test_coefficients_are_orthogonal_with_the_commutant(group):
    """(1/|G|) Σ_g ρ_ab ρ_cd = (1/D) Σ_k (J_k)_ac (J_k)_bd; different irreps give 0."""
    for irrep in group.irreps:
        basis = commutant(irrep)
        assert len(basis) == irrep.type
        inner = np.einsum("gab,gcd->abcd", irrep.matrices, irrep.matrices) / group.order
        expected = np.einsum("kac,kbd->abcd", basis, basis) / irrep.dimension
        np.testing.assert_allclose(inner, expected, atol=1e-10)
    for first, second in zip(group.irreps, group.irreps[1:], strict=False):
        inner = np.einsum("gab,gcd->abcd", first.matrices, second.matrices)
        np.testing.assert_allclose(inner, 0, atol=1e-8)


@settings(max_examples=10)
@given(NON_ABELIAN)
def test_regular_representations(group):
    for side in ("left", "right"):
        matrices = group.regular_representation(side)
        products = np.einsum("gij,hjk->ghik", matrices, matrices)
        np.testing.assert_array_equal(products, matrices[group.cayley_table])
    left, right = (group.regular_representation(side) for side in ("left", "right"))
    np.testing.assert_array_equal(left[1] @ right[-1], right[-1] @ left[1])


GOLDEN = (1 + 5**0.5) / 2


TABLES = {  # real irreps as {(D, t): how many} and the sorted characters of one of them
    Symmetric(4): ({(1, 1): 2, (2, 1): 1, (3, 1): 2}, [-1, -1, 0, 1, 3]),
    Alternating(5): ({(1, 1): 1, (3, 1): 2, (4, 1): 1, (5, 1): 1}, [-1, 1 - GOLDEN, 0, GOLDEN, 3]),
    Quaternion(): ({(1, 1): 4, (4, 4): 1}, [-4, 0, 0, 0, 4]),
    Alternating(4): ({(1, 1): 1, (2, 2): 1, (3, 1): 1}, [-1, 0, 0, 3]),
    Cyclic(7): ({(1, 1): 1, (2, 2): 3}, None),
    Cyclic(3) * Symmetric(3): ({(1, 1): 2, (2, 1): 1, (2, 2): 2, (4, 2): 1}, None),
    FiniteGroup.from_matrices(
        [[0, 1], [-1, 0]], [[1j, 0], [0, -1j]], np.array([[1 + 1j, 1 + 1j], [-1 + 1j, 1 - 1j]]) / 2
    ): ({(1, 1): 1, (2, 2): 1, (3, 1): 1, (4, 4): 1, (4, 2): 1}, None),  # SL(2, 3)
}


@pytest.mark.parametrize("group", TABLES, ids=lambda group: group.isomorphism_type)
def test_dimensions_types_and_characters_are_the_published_ones(group):
    counts, characters = TABLES[group]
    found: dict[tuple[int, int], int] = {}
    for rho in group.irreps:
        found[rho.dimension, rho.type] = found.get((rho.dimension, rho.type), 0) + 1
    assert found == counts
    if characters is not None:
        rows = np.sort(group.character_table, axis=1)
        assert any(np.allclose(row, characters, atol=1e-10) for row in rows)


@pytest.mark.parametrize("n", range(4, 13))
def test_dihedral_characters_are_two_cosines(n):
    group = Dihedral(n)
    for rho in group.irreps:
        if rho.dimension == 2:
            k = int(rho.name.split()[-1])
            expected = np.where(group.mirrored, 0, 2 * np.cos(2 * np.pi * k * group.turns / n))
            np.testing.assert_allclose(rho.character, expected, atol=1e-12)
    assert sum(rho.dimension == 1 for rho in group.irreps) == (4 if n % 2 == 0 else 2)


@pytest.mark.parametrize("seed", range(3))
def test_numerical_irreps_of_groups_of_order_up_to_200(seed):
    rng = np.random.default_rng(seed)
    order = 0
    while not 100 <= order <= 200:
        try:
            group = FiniteGroup.from_permutations(rng.permutation(7), rng.permutation(7))
        except ValueError:
            continue
        order = group.order
    for irrep in group.irreps:
        products = np.einsum("gij,hjk->ghik", irrep.matrices, irrep.matrices)
        np.testing.assert_allclose(products, irrep.matrices[group.cayley_table], atol=1e-10)


def test_irreps_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        Dihedral(4).irreps[0].matrices[0] = 2


@given(EVERY)
def test_independent_rows_hold_every_coefficient_once(group):
    """Over all irreps their matrix coefficients are an orthonormal basis of functions on G."""
    functions = [
        np.sqrt(rho.dimension / group.order)
        * (rho.independent_rows @ rho.matrices).reshape(group.order, -1)
        for rho in group.irreps
    ]
    basis = np.concatenate(functions, axis=1)
    np.testing.assert_allclose(basis @ basis.T, np.eye(group.order), atol=1e-10)
    for rho in group.irreps:
        assert rho.independent_rows.shape == (rho.multiplicity, rho.dimension)
