from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.groups import (
    Dihedral,
    GroupFourier,
)
from sklearn_groupcross.testing import equivariant_stacks, groups, orbit_stacks

EVERY = groups(max_order=64)


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


def test_axes_are_checked():
    group = Dihedral(4)
    with pytest.raises(ValueError, match=r"Axis 0 of the array has length 3; .* 8 elements"):
        GroupFourier(group).transform(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="floating-point arrays; got int64"):
        GroupFourier(group).transform(np.zeros((8, 2), dtype=np.int64))
    with pytest.raises(ValueError, match=r"left factor has shape \(order,\); got \(8, 2\)"):
        GroupFourier(group).convolve(np.zeros((8, 2)), np.zeros((8, 2)))
    with pytest.raises(ValueError, match="8 Fourier coefficients"):
        GroupFourier(group).inverse(np.zeros((3, 2)))
