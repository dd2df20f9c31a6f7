"""Loops over the active codes of a batch, compiled by numba.

Each works on a range of rows, so that threads can share a job, and holds no lock meanwhile. Wide
matrices are worked on in tiles of columns: those of all atoms stay in the cache while every sample
gathers from them. Sums are taken in an order that does not depend on the number of threads.

Inner loops go over whole slices by an index from 0. An index that is a sum might be negative, which
counts from the end, and a loop that looks at that gets no vector instructions.

Loops that call one another stay in one file: numba keeps compiled code until the file changes, and
does not look at others.
"""

from __future__ import annotations

import numpy as np

from ..._compiled import compiled

#: Columns of a tile: of 4096 atoms 16 MiB.
TILE = 1024
#: Relative error, at most, of a number that is rounded to bfloat16.
ROUNDING = 2.0**-8
#: Of bits of bfloat16 numbers, in their order, the finite one that comes first.
LOWEST = -0x7F80


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
def gather_outside(values, lower, upper, indptr, indices, data, first, last):
    """Write columns and values of what `count_outside` counted, row by row."""
    for row in range(first, last):
        place = indptr[row]
        for column in range(values.shape[1]):
            value = values[row, column]
            if (value > upper[column]) | (value < lower[column]):
                indices[place] = column
                data[place] = value
                place += 1


@compiled
def write_entries(indptr, indices, data, out, first, last):
    """Write values that are not zero at their columns, row by row."""
    for row in range(first, last):
        for entry in range(indptr[row], indptr[row + 1]):
            if data[entry] != 0:
                out[row, indices[entry]] = data[entry]


@compiled
def sort_by_column(indptr, indices, column_indptr, rows, places):
    """Bring entries that stand row by row into the order of columns, rows rising within each.

    `column_indptr` (m + 1) comes as zeros; `rows` and `places` (nnz) take the row of each entry and
    where it stood.
    """
    for entry in range(len(indices)):
        column_indptr[indices[entry] + 1] += 1
    for column in range(len(column_indptr) - 1):
        column_indptr[column + 1] += column_indptr[column]
    following = column_indptr[:-1].copy()
    for row in range(len(indptr) - 1):
        for entry in range(indptr[row], indptr[row + 1]):
            place = following[indices[entry]]
            following[indices[entry]] += 1
            rows[place] = row
            places[place] = entry


@compiled
def copy_tile(matrix, low, high, tile, first, last):
    """Columns from `low` to `high` of rows of a matrix, side by side."""
    for row in range(first, last):
        target, source = tile[row], matrix[row, low:high]
        for i in range(len(target)):
            target[i] = source[i]


@compiled
def _add_rows(total, matrix, chosen, weights, start, stop):
    """``total += Σ_j weights[j] matrix[chosen[j]]``, four rows for each pass over the total."""
    j = start
    while j + 4 <= stop:
        r0, r1, r2, r3 = (
            matrix[chosen[j]],
            matrix[chosen[j + 1]],
            matrix[chosen[j + 2]],
            matrix[chosen[j + 3]],
        )
        w0, w1, w2, w3 = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        for i in range(len(total)):
            total[i] += w0 * r0[i] + w1 * r1[i] + w2 * r2[i] + w3 * r3[i]
        j += 4
    while j < stop:
        r0, w0 = matrix[chosen[j]], weights[j]
        for i in range(len(total)):
            total[i] += w0 * r0[i]
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
def decode_tile(indptr, indices, data, atoms, bias, low, high, out, first, last):
    """``out[:, low:high] = codes @ atoms + bias``, with `atoms` (m, tile) of `copy_tile`."""
    for row in range(first, last):
        total = out[row, low:high]
        total[:] = bias[low:high]
        _add_rows(total, atoms, indices, data, indptr[row], indptr[row + 1])


@compiled
def error_tile(
    indptr, indices, data, atoms, bias, targets, factor, low, high,
    grad_out, squares, grad_codes, error, first, last,
):  # fmt: skip
    """Error of the reconstruction, and what it says of codes, in one tile of columns.

    Parameters
    ----------
    indptr, indices, data
        Codes, row by row.
    atoms : (m, tile)
        Columns from `low` to `high` of the decoder, from `copy_tile`.
    bias : (w,)
    targets : (n, w)
    factor : float
        Of the gradient: it is ``factor * (reconstruction − targets)``.
    grad_out : (n, tile)
        Takes the gradient of the reconstruction.
    squares : (n,), float64
        The squared error is added.
    grad_codes : (nnz,)
        The gradient of each code is added.
    error : (n, w) or (0, 0)
        Takes ``targets − reconstruction`` if it has room for it.
    """
    bias_of_tile = bias[low:high]
    for row in range(first, last):
        total, wanted = grad_out[row], targets[row, low:high]
        for i in range(len(total)):
            total[i] = bias_of_tile[i] - wanted[i]
        _add_rows(total, atoms, indices, data, indptr[row], indptr[row + 1])
        square = total[0] - total[0]
        for i in range(len(total)):
            square += total[i] * total[i]
        squares[row] += square
        if len(error):
            left = error[row, low:high]
            for i in range(len(total)):
                left[i] = -total[i]
        for i in range(len(total)):
            total[i] *= factor
        add_products(total, atoms, indices, grad_codes, indptr[row], indptr[row + 1])


@compiled
def gradient_tile(indptr, indices, data, dense, atoms, shrinkage, low, high, out, first, last):
    """``out[:, low:high] = codesᵀ @ dense + shrinkage * atoms``, for a range of atoms.

    Parameters
    ----------
    indptr, indices, data
        Codes, atom by atom.
    dense : (n, tile)
    atoms : (m, tile)
        Columns from `low` to `high` of the decoder; not looked at where there is no `shrinkage`.
    shrinkage : (m,) or (0,)
    out : (m, w)
    """
    for atom in range(first, last):
        total = out[atom, low:high]
        if len(shrinkage):
            weights, share = atoms[atom], shrinkage[atom]
            for i in range(len(total)):
                total[i] = share * weights[i]
        else:
            total[:] = 0
        _add_rows(total, dense, indices, data, indptr[atom], indptr[atom + 1])


@compiled
def round_rows(matrix, bits, norms, roundings, first, last):
    """Round rows to bfloat16, to the nearest even one.

    Parameters
    ----------
    matrix : (n, d), float32
    bits : (n, d or more), int16
        Take the bits of the rounded numbers.
    norms, roundings : (n,), float32
        Take the norm of each row, and that of what rounding changed.
    """
    exact = matrix.view(np.int32)
    for row in range(first, last):
        square = square_of_change = np.float32(0)
        for i in range(matrix.shape[1]):
            there = exact[row, i]
            up = np.int32(there + 0x7FFF + ((there >> 16) & 1)) >> 16
            bits[row, i] = up
            value = matrix[row, i]
            change = value - np.int32(up << 16).view(np.float32)
            square += value * value
            square_of_change += change * change
        norms[row], roundings[row] = np.sqrt(square), np.sqrt(square_of_change)


@compiled
def _range_from(cut):
    """Where bits of bfloat16 numbers at or above a cut begin, and how far they reach.

    As unsigned integers positive numbers are in order, and negative ones lie behind them, the
    smallest last. So those from a positive cut on, and all from a negative cut on, are one range.
    """
    return np.uint16(max(cut, 0)), np.uint16(cut ^ 0x7FFF)


@compiled
def _is_within(bits, begin, reach):
    return np.uint16(bits - begin) <= reach


@compiled
def _largest_of_chunks(bits, top):
    """The largest number of each chunk of a row; chunk c is columns c, c + len(top) and so on.

    Where it is not positive, any that is not.
    """
    top[:] = bits[: len(top)]
    for low in range(len(top), len(bits), len(top)):
        others = bits[low : low + len(top)]
        for chunk in range(len(top)):
            top[chunk] = max(top[chunk], others[chunk])


@compiled
def largest_of_chunks(bits, top, first, last):
    """See `_largest_of_chunks`; for rows (n, m) and (n, n_chunks)."""
    for row in range(first, last):
        _largest_of_chunks(bits[row], top[row])


@compiled
def _kth_largest(integers, k, or_below):
    """The k-th largest of at least k integers, or 0 if it is negative.

    With `or_below`, any number that exactly k of them exceed will do, which is found sooner.
    """
    low, high = 0, max(0, integers.max())
    while low < high:  # counting is done by vector instructions, sorting is not
        middle = (low + high + 1) >> 1
        count = 0
        for entry in range(len(integers)):
            count += integers[entry] >= middle
        if or_below and count == k:
            return middle - 1
        if count >= k:
            low = middle
        else:
            high = middle - 1
    return low


@compiled
def _cut(kth, error_of_kth, error):
    """Bits below which nothing is positive, and as large as what is roughly `kth`.

    Parameters
    ----------
    kth : int16
        Bits of a bfloat16 number.
    error_of_kth, error : float32
        By how much it, and what is compared with the cut, may be wrong before it was rounded.
    """
    rough = np.int32(np.int32(max(kth, 0)) << 16).view(np.float32)
    exact = max(rough * (1 - ROUNDING) - error_of_kth, 0.0)
    bits = np.float32(exact * (1 - ROUNDING) - error).view(np.int32)
    if bits >= 0:
        return np.int16(bits >> 16)
    # the lower half of a negative number makes it smaller; nothing is as small as -inf
    below = ((bits ^ 0x7FFFFFFF) >> 16) - 1
    return np.int16(below if below > LOWEST else LOWEST)


@compiled
def count_candidates(bits, kth, error_of_kth, errors, counts, first, last):
    """Count in each row of numbers those that could be as large as one of all rows.

    Parameters
    ----------
    bits : (n, m), int16
        Of bfloat16 numbers.
    kth, error_of_kth
        See `_cut`.
    errors : (n,)
        Of each row.
    counts : (n,)
    """
    for row in range(first, last):
        begin, reach = _range_from(_cut(kth, error_of_kth, errors[row]))
        count = 0
        for column in range(bits.shape[1]):
            count += _is_within(bits[row, column], begin, reach)
        counts[row] = count


@compiled
def _candidates_of_row(bits, top, cut, columns, place, room):
    """Write the columns of a row at or above a cut, from `place` on; return where they end.

    -1 if there may be more than there is room for.
    """
    begin, reach = _range_from(cut)
    n_chunks = len(top)
    for chunk in range(n_chunks):
        # few chunks have any; of those without a positive number the largest is not known
        if top[chunk] >= cut or cut <= 0:
            if place + len(bits) // n_chunks > room:
                return -1
            for column in range(chunk, len(bits), n_chunks):
                if _is_within(bits[column], begin, reach):
                    columns[place] = column
                    place += 1
    return place


@compiled
def gather_candidates(bits, top, kth, error_of_kth, errors, indptr, indices, first, last):
    """Write the columns of what `count_candidates` counted, row by row."""
    for row in range(first, last):
        cut = _cut(kth, error_of_kth, errors[row])
        room = len(indices) + bits.shape[1]  # there is room for what was counted
        _candidates_of_row(bits[row], top[row], cut, indices, indptr[row], room)


@compiled
def products_at(inputs, weights, bias, indptr, indices, out, first, last):
    """``inputs @ weights.T + bias`` at some columns of each row."""
    for row in range(first, last):
        for entry in range(indptr[row], indptr[row + 1]):
            out[entry] = bias[indices[entry]]
        add_products(inputs[row], weights, indices, out, indptr[row], indptr[row + 1])


@compiled
def mark_largest(values, k, keep):
    """Mark the k largest of float32 values where they are positive; of equal ones the first."""
    bits = values.view(np.int32)  # in the order of the values, where they are positive
    limit = _kth_largest(bits, k, True) if len(bits) > k else 0
    n_marked = 0
    for entry in range(len(bits)):
        keep[entry] = bits[entry] > limit
        n_marked += keep[entry]
    if limit > 0:
        for entry in range(len(bits)):
            if n_marked < k and bits[entry] == limit:
                keep[entry] = True
                n_marked += 1


@compiled
def largest_of_values(values, k, indices, data, first, last):
    """The k largest of float32 values (n, m) in each row, where they are positive.

    Parameters
    ----------
    values : (n, m), float32
    k : int
    indices, data : (n * k,)
        Take them, k places for each row; places left over hold column 0 and value 0. NaN in
        a row is passed on in its first place.
    """
    keep = np.empty(values.shape[1], np.bool_)
    for row in range(first, last):
        mark_largest(values[row], k, keep)
        place = row * k
        for entry in range(len(keep)):
            if keep[entry]:
                indices[place], data[place] = entry, values[row, entry]
                place += 1
        for empty in range(place, (row + 1) * k):
            indices[empty], data[empty] = 0, 0
        bits, n_undefined = values[row].view(np.int32), 0
        for entry in range(len(bits)):
            n_undefined += (bits[entry] & 0x7FFFFFFF) > 0x7F800000
        if n_undefined:  # most are negative, and would be left out
            indices[row * k], data[row * k] = 0, np.nan


@compiled
def largest_of_rows(  # the steps of a row follow one another while it is in the cache
    bits, n_chunks, errors, inputs, weights, bias, k, indices, data, counts, first, last
):
    """The k largest of ``inputs @ weights.T + bias`` in each row, where they are positive.

    Parameters
    ----------
    bits : (n, m), int16
        Of roughly these numbers, rounded to bfloat16.
    n_chunks : int
        The k-th largest of so many chunks is looked for first.
    errors : (n,)
        By how much each row may be wrong before it was rounded.
    indices, data : (n * k,)
        Take them, k places for each row; places left over hold column 0 and value 0.
    counts : (n,)
        Take the number of candidates, or -1 for a row that is not done for having too many.
    """
    room = 16 * k + bits.shape[1] // n_chunks
    found = np.empty(room, np.int64)
    exact, keep = np.empty(room, inputs.dtype), np.empty(room, np.bool_)
    top = np.empty(n_chunks, np.int16)
    for row in range(first, last):
        _largest_of_chunks(bits[row], top)
        # k chunks have as large a number as that, so that k codes have
        cut = _cut(_kth_largest(top, k, False), errors[row], errors[row])
        n = _candidates_of_row(bits[row], top, cut, found, 0, room)
        counts[row] = n
        if n < 0:
            continue
        for entry in range(n):
            exact[entry] = bias[found[entry]]
        add_products(inputs[row], weights, found, exact, 0, n)
        mark_largest(exact[:n], k, keep)
        place = row * k
        for entry in range(n):
            if keep[entry]:
                indices[place] = found[entry]
                data[place] = exact[entry]
                place += 1
        for empty in range(place, (row + 1) * k):
            indices[empty] = 0
            data[empty] = 0
