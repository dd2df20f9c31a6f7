"""Loops over the active codes of a batch for a GPU, in Triton.

The twins of those in `_kernels`. A program works on a tile of columns of one row; programs that run
at the same time work on the same tile, so that a tile of all atoms stays in the second-level cache
while every sample gathers from it. Nothing is added by several programs at once: the same input
gives the same bits.

`_gathering` imports this where there is a GPU. Without one the kernels run in Triton's interpreter,
if ``TRITON_INTERPRET=1`` is set before that.
"""

from __future__ import annotations

import triton
import triton.language as tl

#: Bytes of a row of a tile, 16 for each of 128 threads, and codes whose atoms are read together.
TILE_BYTES, N_TOGETHER = 2048, 8


@triton.jit
def _tile_of_rows(matrix, indices, entries, there, columns, width):
    """Some columns of the rows that entries choose, as float32; zero for those not there."""
    rows = tl.load(indices + entries, mask=there, other=0)
    places = rows[:, None] * width + columns[None, :]
    inside = there[:, None] & (columns < width)[None, :]
    return tl.load(matrix + places, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def add_rows(
    indptr,
    indices,
    data,
    matrix,
    out,
    width,
    tile: tl.constexpr,
    n_together: tl.constexpr,
):
    """``out[i] = Σ_j data[j] matrix[indices[j]]``, for j from ``indptr[i]`` to ``indptr[i + 1]``.

    Parameters
    ----------
    indptr : (n + 1,), int64
    indices : (nnz,), int64
        Rows of the matrix.
    data : (nnz,), float32
    matrix : (m, width), float32 or bfloat16
    out : (n, width), float32
    """
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * tile + tl.arange(0, tile)
    together = tl.arange(0, n_together)
    total = tl.zeros((tile,), dtype=tl.float32)
    stop = tl.load(indptr + row + 1)
    for first in range(tl.load(indptr + row), stop, n_together):
        entries = first + together
        there = entries < stop
        weight = tl.load(data + entries, mask=there, other=0.0)
        numbers = _tile_of_rows(matrix, indices, entries, there, columns, width)
        total += tl.sum(weight[:, None] * numbers, axis=0)
    tl.store(out + row * width + columns, total, mask=columns < width)


@triton.jit
def products_at(
    indptr,
    indices,
    vectors,
    matrix,
    out,
    width,
    n_entries,
    tile: tl.constexpr,
    n_together: tl.constexpr,
):
    """Products of vectors with some rows of a matrix, over one tile of columns for each row of out.

    ``out[t, j] = Σ_c vectors[i, c] matrix[indices[j], c]`` for c in tile t, and j from
    ``indptr[i]`` to ``indptr[i + 1]``.

    Parameters
    ----------
    indptr : (n + 1,), int64
    indices : (nnz,), int64
    vectors : (n, width), float32 or bfloat16
    matrix : (m, width), float32 or bfloat16
    out : (n_tiles, nnz), float32
    """
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * tile + tl.arange(0, tile)
    together = tl.arange(0, n_together)
    vector = tl.load(vectors + row * width + columns, mask=columns < width, other=0.0)
    products_of_tile = out + tl.program_id(1).to(tl.int64) * n_entries
    stop = tl.load(indptr + row + 1)
    for first in range(tl.load(indptr + row), stop, n_together):
        entries = first + together
        there = entries < stop
        numbers = _tile_of_rows(matrix, indices, entries, there, columns, width)
        products = tl.sum(vector.to(tl.float32)[None, :] * numbers, axis=1)
        tl.store(products_of_tile + entries, products, mask=there)
