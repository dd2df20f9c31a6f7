"""Loops over the active codes of a batch, compiled by numba.

Each works on a range of rows, so that threads can share a job, and holds no lock meanwhile. Wide
matrices are worked on in tiles of columns: those of all atoms stay in the cache while every sample
gathers from them. Sums are taken in an order that does not depend on the number of threads.

Loops that call one another stay in one file: numba keeps compiled code until the file changes, and
does not look at others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

#: Loops of a constant length are unrolled into vector instructions.
CHUNK = 64
#: Columns of a tile, a multiple of the chunk: of 4096 atoms 16 MiB.
TILE = 16 * CHUNK


# Sums may be reordered, which vector instructions need; NaN and infinity stay what they are.
_REORDERED = {"reassoc", "contract", "nsz"}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop for the machine that it runs on, and keep it on disk if there is a place."""
    try:
        return numba.njit(nogil=True, fastmath=_REORDERED, cache=True)(function)
    except RuntimeError:  # there is no folder to keep compiled code in
        return numba.njit(nogil=True, fastmath=_REORDERED)(function)


@compiled
def count_outside(values, lower, upper, counts, first, last):
    """Count in each row of values (n, m) those that are not between the bounds of their column."""
    for row in range(first, last):
        count = 0
        for column in range(values.shape[1]):
            value = values[row, column]
            count += (value > upper[column]) | (value < lower[column])
        counts[row] = count


@compiled
def gather_outside(values, lower, upper, starts, columns, kept, first, last):
    """Write columns and values of what `count_outside` counted, row by row."""
    for row in range(first, last):
        place = starts[row]
        for column in range(values.shape[1]):
            value = values[row, column]
            if (value > upper[column]) | (value < lower[column]):
                columns[place] = column
                kept[place] = value
                place += 1


@compiled
def write_entries(starts, columns, values, out, first, last):
    """Write values that are not zero at their columns, row by row."""
    for row in range(first, last):
        for entry in range(starts[row], starts[row + 1]):
            if values[entry] != 0:
                out[row, columns[entry]] = values[entry]


@compiled
def sort_by_column(starts, columns, column_starts, rows, places):
    """Bring entries that stand row by row into the order of columns, rows rising within each.

    `column_starts` (m + 1) comes as zeros; `rows` and `places` (nnz) take the row of each entry and
    where it stood.
    """
    for entry in range(len(columns)):
        column_starts[columns[entry] + 1] += 1
    for column in range(len(column_starts) - 1):
        column_starts[column + 1] += column_starts[column]
    following = column_starts[:-1].copy()
    for row in range(len(starts) - 1):
        for entry in range(starts[row], starts[row + 1]):
            place = following[columns[entry]]
            following[columns[entry]] += 1
            rows[place] = row
            places[place] = entry


@compiled
def copy_tile(matrix, low, high, tile, first, last):
    """Columns from `low` to `high` of rows of a matrix, side by side, with zeros behind them."""
    width = high - low
    for row in range(first, last):
        for column in range(width):
            tile[row, column] = matrix[row, low + column]
        for column in range(width, tile.shape[1]):
            tile[row, column] = 0


@compiled
def _add_rows(total, matrix, chosen, weights, start, stop):
    """``total += Σ_j weights[j] matrix[chosen[j]]``, as many rows as can be in each pass."""
    j = start
    while j + 8 <= stop:
        r0, r1, r2, r3 = (
            matrix[chosen[j]],
            matrix[chosen[j + 1]],
            matrix[chosen[j + 2]],
            matrix[chosen[j + 3]],
        )
        r4, r5, r6, r7 = (
            matrix[chosen[j + 4]],
            matrix[chosen[j + 5]],
            matrix[chosen[j + 6]],
            matrix[chosen[j + 7]],
        )
        w0, w1, w2, w3 = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        w4, w5, w6, w7 = weights[j + 4], weights[j + 5], weights[j + 6], weights[j + 7]
        for low in range(0, matrix.shape[1], CHUNK):
            for c in range(CHUNK):
                i = low + c
                total[i] += (
                    w0 * r0[i]
                    + w1 * r1[i]
                    + w2 * r2[i]
                    + w3 * r3[i]
                    + w4 * r4[i]
                    + w5 * r5[i]
                    + w6 * r6[i]
                    + w7 * r7[i]
                )
        j += 8
    while j + 2 <= stop:
        r0, r1 = matrix[chosen[j]], matrix[chosen[j + 1]]
        w0, w1 = weights[j], weights[j + 1]
        for low in range(0, matrix.shape[1], CHUNK):
            for c in range(CHUNK):
                i = low + c
                total[i] += w0 * r0[i] + w1 * r1[i]
        j += 2
    while j < stop:
        r0, w0 = matrix[chosen[j]], weights[j]
        for low in range(0, matrix.shape[1], CHUNK):
            for c in range(CHUNK):
                total[low + c] += w0 * r0[low + c]
        j += 1


@compiled
def add_products(vector, matrix, chosen, out, start, stop):
    """``out[j] += ⟨vector, matrix[chosen[j]]⟩``, four rows for each pass over the vector."""
    zero = vector[0] - vector[0]
    j = start
    while j + 4 <= stop:
        r0, r1, r2, r3 = (
            matrix[chosen[j]],
            matrix[chosen[j + 1]],
            matrix[chosen[j + 2]],
            matrix[chosen[j + 3]],
        )
        p0 = p1 = p2 = p3 = zero
        for i in range(len(vector)):
            x = vector[i]
            p0 += x * r0[i]
            p1 += x * r1[i]
            p2 += x * r2[i]
            p3 += x * r3[i]
        out[j] += p0
        out[j + 1] += p1
        out[j + 2] += p2
        out[j + 3] += p3
        j += 4
    while j < stop:
        r0 = matrix[chosen[j]]
        p0 = zero
        for i in range(len(vector)):
            p0 += vector[i] * r0[i]
        out[j] += p0
        j += 1


@compiled
def decode_tile(starts, columns, values, atoms, bias, low, high, out, first, last):
    """``out[:, low:high] = codes @ atoms + bias``, with `atoms` (m, tile) of `copy_tile`."""
    total = np.empty(atoms.shape[1], atoms.dtype)
    for row in range(first, last):
        total[:] = 0
        _add_rows(total, atoms, columns, values, starts[row], starts[row + 1])
        for i in range(high - low):
            out[row, low + i] = total[i] + bias[low + i]


@compiled
def error_tile(
    starts, columns, values, atoms, bias, targets, factor, low, high,
    pull, squares, of_codes, error, first, last,
):  # fmt: skip
    """Error of the reconstruction, and what it says of codes, in one tile of columns.

    Parameters
    ----------
    starts, columns, values
        Codes, row by row.
    atoms : (m, tile)
        Columns from `low` to `high` of the decoder, from `copy_tile`.
    bias : (w,)
    targets : (n, w)
    factor : float
        Of the gradient: it is ``factor * (reconstruction − targets)``.
    pull : (n, tile)
        Takes the gradient of the reconstruction.
    squares : (n,), float64
        The squared error is added.
    of_codes : (nnz,)
        The gradient of each code is added.
    error : (n, w) or (0, 0)
        Takes ``targets − reconstruction`` if it has room for it.
    """
    width = high - low
    for row in range(first, last):
        total = pull[row]
        for i in range(width):
            total[i] = bias[low + i] - targets[row, low + i]
        for i in range(width, len(total)):
            total[i] = 0
        _add_rows(total, atoms, columns, values, starts[row], starts[row + 1])
        square = total[0] - total[0]
        for i in range(len(total)):
            square += total[i] * total[i]
        squares[row] += square
        if len(error):
            for i in range(width):
                error[row, low + i] = -total[i]
        for i in range(len(total)):
            total[i] *= factor
        add_products(total, atoms, columns, of_codes, starts[row], starts[row + 1])


@compiled
def gradient_tile(
    column_starts, rows, values, dense, atoms, shrinkage, low, high, out, first, last
):
    """``out[:, low:high] = codesᵀ @ dense + shrinkage * atoms``, for a range of atoms.

    Parameters
    ----------
    column_starts, rows, values
        Codes, atom by atom.
    dense : (n, tile)
    atoms : (m, tile)
        Columns from `low` to `high` of the decoder; not looked at where there is no `shrinkage`.
    shrinkage : (m,) or (0,)
    out : (m, w)
    """
    total = np.empty(dense.shape[1], dense.dtype)
    for atom in range(first, last):
        if len(shrinkage):
            for i in range(len(total)):
                total[i] = shrinkage[atom] * atoms[atom, i]
        else:
            total[:] = 0
        _add_rows(total, dense, rows, values, column_starts[atom], column_starts[atom + 1])
        for i in range(high - low):
            out[atom, low + i] = total[i]


@compiled
def _in_order(bits):
    """An integer in the order of a bfloat16 number, given by its bits."""
    return bits ^ ((bits >> 15) & 0x7FFF)


@compiled
def count_candidates(bits, largest, cuts, counts, first, last):
    """Count in each row of numbers those at or above the row's cut.

    Parameters
    ----------
    bits : (n, m), int16
        Of bfloat16 numbers.
    largest : (n, q), int16
        Of each chunk the largest number; chunk c is columns c, c + q, c + 2 q and so on. What
        cannot have a candidate is passed over.
    cuts : (n,), int16
        In the order of numbers.
    counts : (n,)
    """
    n_chunks = largest.shape[1]
    for row in range(first, last):
        cut, count = cuts[row], 0
        for chunk in range(n_chunks):
            if _in_order(largest[row, chunk]) >= cut:
                for column in range(chunk, bits.shape[1], n_chunks):
                    count += _in_order(bits[row, column]) >= cut
        counts[row] = count


@compiled
def gather_candidates(bits, largest, cuts, starts, columns, first, last):
    """Write the columns of what `count_candidates` counted, row by row."""
    n_chunks = largest.shape[1]
    for row in range(first, last):
        cut, place = cuts[row], starts[row]
        for chunk in range(n_chunks):
            if _in_order(largest[row, chunk]) >= cut:
                for column in range(chunk, bits.shape[1], n_chunks):
                    if _in_order(bits[row, column]) >= cut:
                        columns[place] = column
                        place += 1


@compiled
def products_at(inputs, weights, bias, starts, columns, out, first, last):
    """``inputs @ weights.T + bias`` at some columns of each row."""
    for row in range(first, last):
        for entry in range(starts[row], starts[row + 1]):
            out[entry] = bias[columns[entry]]
        add_products(inputs[row], weights, columns, out, starts[row], starts[row + 1])


@compiled
def mark_largest(values, k, keep):
    """Mark the k largest values where they are positive; of equal ones the first."""
    n_marked, limit = 0, values.dtype.type(0)
    if len(values) > k:
        limit = max(limit, np.partition(values, len(values) - k)[len(values) - k])
    for entry in range(len(values)):
        keep[entry] = values[entry] > limit
        n_marked += keep[entry]
    if limit > 0:
        for entry in range(len(values)):
            if n_marked < k and values[entry] == limit:
                keep[entry] = True
                n_marked += 1


@compiled
def largest_of_rows(  # the steps of a row follow one another while it is in the cache
    bits, largest, cuts, inputs, weights, bias, k, columns, values, counts, first, last
):
    """The k largest of ``inputs @ weights.T + bias`` in each row, where they are positive.

    Parameters
    ----------
    bits, largest, cuts
        As of `count_candidates`: what is below the cut of its row is none of them.
    columns, values : (n * k,)
        Take them, k places for each row; places left over hold column 0 and value 0.
    counts : (n,)
        Take the number of candidates; rows with more than there is room for are not done.
    """
    room = 16 * k
    found = np.empty(room + 1, np.int64)
    exact, keep = np.empty(room, inputs.dtype), np.empty(room, np.bool_)
    n_chunks = largest.shape[1]
    for row in range(first, last):
        cut, n = cuts[row], 0
        for chunk in range(n_chunks):
            if _in_order(largest[row, chunk]) >= cut:
                for column in range(chunk, bits.shape[1], n_chunks):
                    found[n] = column
                    n = min(n + (_in_order(bits[row, column]) >= cut), room)
        counts[row] = n
        if n == room:
            continue
        for entry in range(n):
            exact[entry] = bias[found[entry]]
        add_products(inputs[row], weights, found, exact, 0, n)
        mark_largest(exact[:n], k, keep)
        place = row * k
        for entry in range(n):
            if keep[entry]:
                columns[place] = found[entry]
                values[place] = exact[entry]
                place += 1
        for empty in range(place, (row + 1) * k):
            columns[empty] = 0
            values[empty] = 0
