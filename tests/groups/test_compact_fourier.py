"""The transform without repetitions: laws that hold for every type of irrep."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.groups import CompactFourier, GroupFourier
from sklearn_groupcross.testing import groups, orbit_stacks

EVERY = groups(max_order=64)


@given(EVERY)
def test_it_is_orthogonal_but_for_its_weights(group):
    fourier = CompactFourier(group)
    basis = fourier.forward * np.sqrt(fourier.weights)[:, None]
    np.testing.assert_allclose(basis @ basis.T, np.eye(group.order), atol=1e-10)
    assert sum(fourier.sizes) == group.order


@given(EVERY, st.data())
def test_it_holds_independent_rows_of_all_coefficients(group, data):
    blocks = data.draw(orbit_stacks(group))[0]
    fourier, full = CompactFourier(group), GroupFourier(group)
    everything = full.transform(blocks)
    parts = np.split(fourier.forward @ blocks, np.cumsum(fourier.sizes)[:-1])
    for rho, part, where in zip(group.irreps, parts, full.slices, strict=True):
        matrices = everything[where].reshape(rho.dimension, rho.dimension, -1)
        expected = np.einsum("ra,abc->rbc", rho.independent_rows, matrices)
        np.testing.assert_allclose(part, expected.reshape(part.shape), atol=1e-10)


@given(EVERY, st.data())
def test_correlations_are_those_of_all_coefficients(group, data):
    left, right = data.draw(orbit_stacks(group, n_samples=2))
    fourier = CompactFourier(group)
    products = []
    for (n_rows, n_columns), a, b in zip(
        fourier.shapes,
        *(np.split(fourier.forward @ x, np.cumsum(fourier.sizes)[:-1]) for x in (left, right)),
        strict=True,
    ):
        a, b = (x.reshape(n_rows, n_columns, -1) for x in (a, b))
        products.append(np.einsum("abx,acx->bc", a, b).ravel())
    expected = [np.sum(left * right[group.right_translation(h)]) for h in range(group.order)]
    np.testing.assert_allclose(fourier.correlations @ np.concatenate(products), expected, atol=1e-9)
