"""Loops that find the largest of many rough numbers, compiled by numba (see `_kernels`)."""

from __future__ import annotations

import numpy as np

from ._kernels import add_products, compiled


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
