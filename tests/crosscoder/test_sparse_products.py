from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder import _sparse_products as sparse_products
from sklearn_groupcross.crosscoder._sparse_products import (
    Pattern,
    decode,
    is_worth_it,
    linear,
    transposed_product,
)

GROUP = Dihedral(3)
ACTIVATIONS = ["relu", "topk", "batch_topk", "jumprelu"]


@st.composite
def sparse_matrices(draw, max_size=12):
    """Mostly zeros: rows and columns without any number among them, or no number at all."""
    n, m = draw(st.integers(1, max_size)), draw(st.integers(1, max_size))
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    matrix = rng.standard_normal((n, m)) * (rng.random((n, m)) < share)
    matrix[rng.random(n) < 0.2] = 0
    matrix[:, rng.random(m) < 0.2] = 0
    return torch.tensor(matrix, dtype=torch.float32)


def normals(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_close(found, expected):
    scale = float(expected.detach().abs().max()) if expected.numel() else 0.0
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * scale)


@given(matrix=sparse_matrices(), width=st.integers(1, 9))
def test_transposed_products_are_those_of_the_dense_matrix(matrix, width):
    pattern = Pattern.of(matrix)
    values = matrix[pattern.rows, pattern.columns]
    dense = normals(len(matrix), width)
    assert_close(transposed_product(pattern, values, dense), matrix.T @ dense)


def test_portions_make_no_difference(monkeypatch):
    matrix, dense = normals(6, 11), normals(6, 5, seed=1)
    pattern = Pattern.of(matrix)
    values = matrix[pattern.rows, pattern.columns]
    whole = transposed_product(pattern, values, dense)
    monkeypatch.setattr(sparse_products, "_NUMBERS_A_PORTION", 10)
    assert torch.equal(transposed_product(pattern, values, dense), whole)


@given(codes=sparse_matrices(), width=st.integers(1, 9), with_buffer=st.booleans())
def test_products_norms_and_gradients_are_those_of_dense_decoding(codes, width, with_buffer):
    codes = codes.requires_grad_(True)
    decoder = normals(codes.shape[1], width).requires_grad_(True)
    gradients = normals(len(codes), width, seed=1), normals(codes.shape[1], seed=2)
    buffer = torch.full_like(decoder.detach(), 7.0) if with_buffer else None
    found = decode(codes, decoder, None, buffer)
    expected = codes @ decoder, decoder.norm(dim=1)
    for value, truth in zip(found, expected, strict=True):
        assert_close(value, truth)
    of_codes, of_decoder = torch.autograd.grad(found, [codes, decoder], gradients)
    true_codes, true_decoder = torch.autograd.grad(expected, [codes, decoder], gradients)
    assert_close(of_decoder, true_decoder)
    # codes that are not active have no gradient to pass on
    assert_close(of_codes, true_codes * (codes != 0))


def test_codes_within_reach_have_a_gradient_too():
    codes = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 3.0]], requires_grad=True)
    reach = torch.tensor([[True, True, False], [False, False, True]])
    decoder, gradient = normals(3, 4), normals(2, 4, seed=1)
    product, _ = decode(codes, decoder, reach)
    (of_codes,) = torch.autograd.grad(product, codes, gradient)
    assert_close(of_codes, (gradient @ decoder.T) * reach)
    assert of_codes[0, 1] != 0


def test_the_gradient_takes_the_memory_that_is_given():
    codes, decoder = torch.eye(3)[:2], normals(3, 4).requires_grad_(True)
    buffer = torch.empty(3, 4)
    decode(codes, decoder, None, buffer)[0].sum().backward()
    assert decoder.grad.data_ptr() == buffer.data_ptr()


def test_atoms_of_norm_zero_have_no_gradient_of_it():
    decoder = torch.zeros(2, 3, requires_grad=True)
    product, norms = decode(torch.eye(2), decoder)
    (product.sum() + norms.sum()).backward()
    assert torch.equal(decoder.grad, torch.ones(2, 3))


@given(matrix=sparse_matrices(), width=st.integers(1, 9))
def test_linear_has_the_gradients_of_the_dense_product(matrix, width):
    inputs = normals(len(matrix), width)
    weights = normals(matrix.shape[1], width, seed=1).requires_grad_(True)
    bias = normals(matrix.shape[1], seed=2).requires_grad_(True)
    found = linear(inputs, weights, bias)
    expected = inputs @ weights.T + bias
    assert_close(found, expected)
    for value, truth in zip(
        torch.autograd.grad(found, [weights, bias], matrix),
        torch.autograd.grad(expected, [weights, bias], matrix),
        strict=True,
    ):
        assert_close(value, truth)


def test_only_sparse_matrices_on_the_cpu_are_worth_it():
    assert is_worth_it(torch.zeros(64, 64))
    assert is_worth_it(torch.eye(64))
    assert not is_worth_it(torch.ones(64, 64))
    assert not is_worth_it(torch.zeros(64, 64, device="meta"))


@pytest.mark.parametrize("l1_weight", ["joint", "blockwise"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_run_ends_where_the_dense_one_does(activation, l1_weight, monkeypatch):
    """Everything that a step does, dead atoms that are brought back among it."""
    orbits = make_orbits(200, group=GROUP, n_channels=8, random_state=0).orbits

    def run(share):
        monkeypatch.setattr(sparse_products, "MAX_SPARSE_SHARE", share)
        return GroupCrosscoder(
            GROUP,
            24,
            activation=activation,
            k=3 if "topk" in activation else None,
            l1_weight=l1_weight,
            batch_size=50,
            max_epochs=10,
            random_state=0,
        ).fit(orbits)

    sparse, dense = run(1.0), run(-1.0)
    scale = np.abs(dense.components_).max()
    np.testing.assert_allclose(sparse.components_, dense.components_, atol=2e-3 * scale)
    np.testing.assert_allclose(
        sparse.history_["step_loss"][:4], dense.history_["step_loss"][:4], rtol=1e-5
    )
    assert sparse.score(orbits) == pytest.approx(dense.score(orbits), abs=1e-3)
