"""Products with the active codes alone are those of the dense matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_groupcross._parallel import sharing
from sklearn_groupcross.crosscoder._active import _kernels as kernels
from sklearn_groupcross.crosscoder._active import _sparse_codes
from sklearn_groupcross.crosscoder._active._sparse_codes import (
    SparseCodes,
    Tiles,
    add_products_,
    decode,
    squared_error,
    transposed_product,
)
from tests.tolerances import assert_near

#: Codes of a row, at most.
MOST = 24
# Columns that fill no tile, one, and more than one.
WIDTHS = st.sampled_from([1, 3, 64, 65, kernels.TILE, kernels.TILE + 7])


@st.composite
def sparse_codes(draw):
    """Codes with empty rows and columns, with none at all, and with the same place twice."""
    n, m = draw(st.integers(1, 12)), draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    counts = rng.integers(0, draw(st.integers(1, MOST)), n)
    counts[rng.random(n) < 0.3] = 0
    indptr = np.concatenate([[0], counts.cumsum()])
    allowed = rng.permutation(m)[: draw(st.integers(1, m))]
    indices = rng.choice(allowed, indptr[-1])
    data = rng.standard_normal(indptr[-1]).astype(np.float32)
    return SparseCodes((n, m), indptr, indices, data)


NONE = SparseCodes((3, 4), np.zeros(4, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


def rows_of(codes):
    return np.repeat(np.arange(codes.shape[0]), np.diff(codes.indptr))


def dense(codes, values=None):
    matrix = np.zeros(codes.shape)
    np.add.at(matrix, (rows_of(codes), codes.indices), codes.data if values is None else values)
    return torch.from_numpy(matrix)


def sizes(codes):
    return dense(codes, np.abs(codes.data))


def normals(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_close(found, expected, length, size):
    """Within the rounding of sums of so many numbers of float32, against float64."""
    size = float(size.max()) if size.numel() else 0.0
    assert_near(torch.as_tensor(found), expected, length, size, dtype=torch.float32)


@given(codes=sparse_codes(), width=WIDTHS)
@example(codes=NONE, width=5)
def test_decoding_is_the_dense_product(codes, width):
    decoder, bias = normals(codes.shape[1], width), normals(width, seed=1)
    with sharing() as run:
        found = decode(codes, decoder, bias, run)
    size = sizes(codes) @ decoder.abs().double() + bias.abs()
    assert_close(found, dense(codes) @ decoder.double() + bias.double(), MOST + 1, size)


@given(codes=sparse_codes(), width=WIDTHS, shrinks=st.booleans(), with_error=st.booleans())
@example(codes=NONE, width=5, shrinks=True, with_error=True)
def test_error_and_gradients_are_those_of_autograd(codes, width, shrinks, with_error):
    n, m = codes.shape
    decoder, bias, targets = normals(m, width), normals(width, seed=1), normals(n, width, seed=2)
    shrinkage = normals(m, seed=3).abs() if shrinks else None
    error = torch.empty(n, width) if with_error else None
    grad_decoder = torch.full((m, width), 7.0)
    with sharing() as run:
        found = squared_error(
            codes, decoder, bias, targets, 0.25, Tiles(), run,
            grad_decoder=grad_decoder, shrinkage=shrinkage, error=error,
        )  # fmt: skip
    values = torch.tensor(codes.data, dtype=torch.float64, requires_grad=True)
    leaves = [decoder.double().requires_grad_(), bias.double().requires_grad_()]
    matrix = torch.zeros(codes.shape, dtype=torch.float64)
    index = torch.from_numpy(rows_of(codes)), torch.from_numpy(codes.indices)
    matrix = matrix.index_put(index, values, accumulate=True)
    left = targets.double() - (matrix @ leaves[0] + leaves[1])
    loss = left.square().sum()
    penalty = 0 if shrinkage is None else (shrinkage[:, None] * leaves[0].square()).sum() / 2
    by_decoder, by_bias, by_values = torch.autograd.grad(
        0.125 * loss + penalty, [*leaves, values], materialize_grads=True
    )
    # every result is a sum of what is left, which is a sum itself, of terms that may cancel
    size = targets.abs() + sizes(codes) @ decoder.abs().double() + bias.abs()
    assert_close(found.total, loss.detach(), MOST + n * width, 2 * size.square().sum())
    assert_close(found.grad_codes, by_values, MOST + width, size @ decoder.abs().double().T / 4)
    assert_close(found.grad_bias, by_bias, MOST + n, size.sum(0) / 4)
    of_decay = 0 if shrinkage is None else (shrinkage[:, None] * decoder).abs()
    assert_close(grad_decoder, by_decoder, MOST + n, sizes(codes).T @ size / 4 + of_decay)
    if error is not None:
        assert_close(error, left.detach(), MOST, size)


@given(codes=sparse_codes(), width=WIDTHS)
@example(codes=NONE, width=5)
def test_transposed_products_are_those_of_the_dense_matrix(codes, width):
    right = normals(codes.shape[0], width)
    values = np.arange(len(codes.data), dtype=np.float32)
    with sharing() as run:
        found = transposed_product(codes, values, right, Tiles(), run)
    size = dense(codes, values).T @ right.abs().double()
    assert_close(found, dense(codes, values).T @ right.double(), MOST * codes.shape[0], size)


@given(codes=sparse_codes(), width=WIDTHS, leaves_out=st.booleans())
def test_products_are_added_to_what_is_there(codes, width, leaves_out):
    matrix, right = dense(codes).float(), normals(codes.shape[0], width)
    before = normals(codes.shape[1], width, seed=1)
    sums = before.clone()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sparse_codes, "is_faster_without_zeros", lambda *_: leaves_out)
        add_products_(sums, matrix, right)
    size = before.abs() + sizes(codes).T @ right.abs().double()
    assert_close(sums, before + matrix.double().T @ right.double(), codes.shape[0] + 1, size)


@given(codes=sparse_codes())
def test_entries_by_atom_keep_the_order_of_rows(codes):
    column_indptr, rows, places = codes.by_atom
    order = np.argsort(codes.indices, kind="stable")
    np.testing.assert_array_equal(places, order)
    np.testing.assert_array_equal(rows, rows_of(codes)[order])
    np.testing.assert_array_equal(
        np.diff(column_indptr), np.bincount(codes.indices, minlength=codes.shape[1])
    )


@given(n=st.integers(1, 9), m=st.integers(1, 20), seed=st.integers(0, 2**32 - 1))
def test_what_is_kept_is_what_exceeds_or_is_largest(n, m, seed):
    values, thresholds = normals(n, m, seed=seed), normals(m, seed=seed + 1)
    k = 1 + seed % m
    with sharing() as run:
        above = SparseCodes.above(values, thresholds, run)
        of_rows = [
            SparseCodes.largest(some, k, run, of_batch=False) for some in (values, values.double())
        ]
        of_batch = SparseCodes.largest(values, k, run, of_batch=True)
    assert torch.equal(dense(above), torch.where(values > thresholds, values, 0.0).double())
    kept = torch.zeros(n, m).scatter(1, values.topk(k).indices, 1.0) * values.relu()
    assert all(torch.equal(dense(codes), kept.double()) for codes in of_rows)
    limit = values.flatten().topk(n * k).values[-1]
    kept = torch.where(values >= limit, values.relu(), 0.0)
    assert torch.equal(dense(of_batch), kept.double())


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_not_finite_stays_so(number):
    codes = SparseCodes((1, 2), np.array([0, 1]), np.array([1]), np.array([number], np.float32))
    with sharing() as run:
        found = decode(codes, normals(2, 3), torch.zeros(3), run)
    assert not found.isfinite().any()


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_the_number_of_threads_changes_no_bit(n_threads):
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 9, 7 * 4)
    codes = SparseCodes((7, 9), np.arange(8) * 4, indices, rng.random(28, dtype=np.float32))
    targets, decoder = normals(7, 1100), normals(9, 1100, seed=1)

    def results():
        grad_decoder = torch.empty(9, 1100)
        with sharing() as run:
            found = squared_error(
                codes,
                decoder,
                torch.zeros(1100),
                targets,
                1.0,
                Tiles(),
                run,
                grad_decoder=grad_decoder,
            )
        return (
            found.total,
            found.grad_codes.tolist(),
            found.grad_bias.tolist(),
            grad_decoder.tolist(),
        )

    before = torch.get_num_threads()
    expected = results()
    try:
        torch.set_num_threads(n_threads)
        assert results() == expected
    finally:
        torch.set_num_threads(before)


def test_an_error_in_a_thread_is_raised():
    def fails(first, last):
        raise ArithmeticError("of a thread")

    with pytest.raises(ArithmeticError, match="of a thread"), sharing() as run:
        run(fails, 5)


@pytest.mark.parametrize("number", [np.nan, -np.nan])
def test_what_is_not_defined_is_not_left_out_of_the_largest(number):
    """A run that diverges is noticed by its loss."""
    values = torch.tensor([[1.0, 2.0, -1.0], [3.0, float(number), 1.0], [-np.inf, -1.0, np.inf]])
    with sharing() as run:
        codes = SparseCodes.largest(values, 2, run, of_batch=False)
    assert dense(codes).isnan().any(dim=1).tolist() == [False, True, False]
    assert dense(codes)[2].tolist() == [0.0, 0.0, np.inf]
