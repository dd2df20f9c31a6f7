"""Irreps, characters and the Fourier transform: laws that hold for every type of irrep."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_groupcross.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    FiniteGroup,
    GroupFourier,
    Quaternion,
    Symmetric,
)
from sklearn_groupcross.testing import equivariant_stacks, groups, orbit_stacks

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


@given(EVERY, st.data())
def test_fourier_inversion(group, data):
    stacks = data.draw(orbit_stacks(group))
    fourier = GroupFourier(group)
    for axis, blocks in ((1, stacks), (0, stacks[0]), (-1, stacks.swapaxes(1, 2))):
        restored = fourier.inverse(fourier.transform(blocks, axis), axis)
        np.testing.assert_allclose(restored, blocks, atol=1e-10)


@given(EVERY, st.data())
def test_plancherel(group, data):
    stacks = data.draw(orbit_stacks(group))
    fourier = GroupFourier(group)
    coefficients = fourier.transform(stacks, axis=1)
    energy = sum(
        irrep.weight * (coefficients[:, part] ** 2).sum((1, 2))
        for irrep, part in zip(group.irreps, fourier.slices, strict=True)
    )
    np.testing.assert_allclose(energy, (stacks**2).sum((1, 2)), rtol=1e-10)


@given(EVERY, st.data())
def test_power_sums_to_one_and_ignores_translation(group, data):
    stacks = data.draw(orbit_stacks(group))
    h = data.draw(st.integers(0, group.order - 1))
    fourier = GroupFourier(group)
    power = fourier.power(stacks, axis=1)
    assert power.shape == (len(stacks), len(group.irreps))
    np.testing.assert_allclose(power.sum(axis=1), 1, rtol=1e-10)
    moved = fourier.power(stacks[:, group.right_translation(h)], axis=1)
    np.testing.assert_allclose(moved, power, atol=1e-10)
    np.testing.assert_array_equal(fourier.power(np.zeros_like(stacks), axis=1), 0)
    projected = [
        np.einsum("gk,nkd->ngd", group.isotypic_projection(rho), stacks) for rho in group.irreps
    ]
    np.testing.assert_allclose(sum(projected), stacks, atol=1e-10)
    shares = np.stack([(part**2).sum((1, 2)) for part in projected], axis=1)
    np.testing.assert_allclose(shares / shares.sum(1, keepdims=True), power, atol=1e-10)


@given(EVERY, st.data())
def test_an_equivariant_stack_has_power_in_one_component(group, data):
    stacks = data.draw(equivariant_stacks(group))
    power = GroupFourier(group).power(stacks, axis=1)
    np.testing.assert_allclose(power.max(axis=1), 1, rtol=1e-10)
    # and its block products depend on g⁻¹ h alone
    gram = np.einsum("ngd,nhd->ngh", stacks, stacks)
    quotient = group.cayley_table[group.inverses]
    np.testing.assert_allclose(gram, gram[:, 0][:, quotient], atol=1e-10)


@given(EVERY, st.data())
def test_convolution_theorem(group, data):
    first, second = data.draw(orbit_stacks(group, n_samples=2))
    expected = np.zeros_like(second)
    for g in range(group.order):
        for h in range(group.order):
            expected[g] += first[h, 0] * second[group.multiply(group.inverse(h), g)]
    product = GroupFourier(group).convolve(first[:, 0], second)
    np.testing.assert_allclose(product, expected, atol=1e-9)


def direct_correlation(group, left, right):
    return np.stack(
        [
            np.einsum("igd,jgd->ij", left, right[:, group.right_translation(h)])
            for h in range(group.order)
        ],
        axis=2,
    )


@given(EVERY, st.data())
def test_correlations_equal_the_direct_sum(group, data):
    left = data.draw(orbit_stacks(group, n_samples=3))
    right = data.draw(orbit_stacks(group, n_samples=4))
    expected = direct_correlation(group, left, right)
    fourier = GroupFourier(group)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(fourier.correlate(left, right), expected, atol=1e-10 * scale)
    single = fourier.correlate(left.astype(np.float32), right.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, atol=1e-5 * scale)


@given(groups(max_order=24), st.data())
def test_torch_tensors_give_the_same_and_stay_where_they_are(group, data):
    stacks = data.draw(orbit_stacks(group))
    fourier = GroupFourier(group)
    tensor = torch.from_numpy(stacks)
    for mine, theirs in (
        (fourier.transform(tensor, 1), fourier.transform(stacks, 1)),
        (fourier.transform(tensor.movedim(1, 2), 2), fourier.transform(stacks.swapaxes(1, 2), 2)),
        (fourier.inverse(fourier.transform(tensor, 1), 1), stacks),
        (fourier.power(tensor, 1), fourier.power(stacks, 1)),
        (
            fourier.convolve(tensor[0, :, 0], tensor[1]),
            fourier.convolve(stacks[0, :, 0], stacks[1]),
        ),
        (fourier.correlate(tensor, tensor), fourier.correlate(stacks, stacks)),
    ):
        assert isinstance(mine, torch.Tensor)
        np.testing.assert_allclose(mine.numpy(), theirs, atol=1e-10)
    on_meta = torch.empty(3, group.order, 2, device="meta")
    assert fourier.correlate(on_meta, on_meta).device.type == "meta"


@settings(max_examples=10)
@given(NON_ABELIAN)
def test_regular_representations(group):
    for side in ("left", "right"):
        matrices = group.regular_representation(side)
        products = np.einsum("gij,hjk->ghik", matrices, matrices)
        np.testing.assert_array_equal(products, matrices[group.cayley_table])
    left, right = (group.regular_representation(side) for side in ("left", "right"))
    np.testing.assert_array_equal(left[1] @ right[-1], right[-1] @ left[1])


# --- published tables ----------------------------------------------------------------------------

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


def test_irreps_are_read_only_and_axes_are_checked():
    group = Dihedral(4)
    with pytest.raises(ValueError, match="read-only"):
        group.irreps[0].matrices[0] = 2
    with pytest.raises(ValueError, match=r"Axis 0 of the array has length 3; .* 8 elements"):
        GroupFourier(group).transform(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="floating-point arrays; got int64"):
        GroupFourier(group).transform(np.zeros((8, 2), dtype=np.int64))
    with pytest.raises(ValueError, match=r"left factor has shape \(order,\); got \(8, 2\)"):
        GroupFourier(group).convolve(np.zeros((8, 2)), np.zeros((8, 2)))
    with pytest.raises(ValueError, match="8 Fourier coefficients"):
        GroupFourier(group).inverse(np.zeros((3, 2)))


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
