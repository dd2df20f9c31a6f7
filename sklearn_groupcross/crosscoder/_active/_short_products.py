"""Products of rows that are rounded to 16-bit integers, in compiled loops.

An instruction of AVX2 multiplies 16 pairs of such integers and adds neighbours, where one of
float32 multiplies 8; sums of 32 bits are exact. Neither numpy nor torch has these products: torch's
``_int_mm`` takes 8 bits, which is too few, and without VNNI seconds. The instruction is named here,
so that LLVM need not find it in a loop.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from ..._compiled import compiled

#: Columns of rounded rows are a multiple of this: what an instruction multiplies.
LANES = 16
#: Rows that are multiplied at once, of the left and of the right: as many sums as registers hold.
LEFT, RIGHT = 4, 2
# Left rows whose sums are made one after the other, and the columns of a piece of rows, so that
# these rows stay in the first-level cache and their sums in the second.
_BLOCK, _DEPTH = 16, 1024
# Norm of rounded rows. The product of two such norms bounds every sum, also that of some of the
# columns, by half of what 32 bits hold; so rounding may add to it.
_NORM = 32_000.0
#: Norm of rows whose squares leave the range of float32. Smaller ones are rounded to zero.
SMALLEST_NORM = 2.0**-60


@cache
def has_short_products() -> bool:
    """Whether compiled loops may use the instructions of AVX2."""
    is_compiled = hasattr(rough_products, "py_func")  # not with NUMBA_DISABLE_JIT
    return is_compiled and "+avx2" in _features()


@cache
def multiplies_int16_fast() -> bool:
    """Whether short products take less time than those of float32: not where AVX-512 makes them."""
    return has_short_products() and "+avx512f" not in _features()


def _features() -> list[str]:
    """What numba compiles for, which settings of its own may make less than the CPU has."""
    *_, features = cpu_target.target_context.codegen().magic_tuple()
    return features.split(",")


def _add_tile(typing_context, left, i, right, j, low, high, out, k):
    """``out[k:k+LEFT, j:j+RIGHT] += left[i:i+LEFT, low:high] @ right[j:j+RIGHT, low:high].T``.

    All are matrices in C order; those of factors are int16, `out` is int32.
    """
    index = types.intp
    signature = types.void(left, index, right, index, index, index, out, index)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        of_left, i, of_right, j, low, high, of_out, k = arguments
        vector = ir.VectorType(ir.IntType(16), LANES)
        sums = ir.VectorType(ir.IntType(32), LANES // 2)

        def number(value: int) -> Any:
            return ir.Constant(low.type, value)

        def rows(matrix_type: Any, matrix: Any, first: Any, n: int) -> list[Any]:
            array = context.make_array(matrix_type)(context, builder, matrix)
            width = builder.extract_value(array.shape, 1)
            return [
                builder.gep(array.data, [builder.mul(builder.add(first, number(row)), width)])
                for row in range(n)
            ]

        def load(row: Any, column: Any) -> Any:
            place = builder.bitcast(builder.gep(row, [column]), vector.as_pointer())
            loaded = builder.load(place)
            loaded.align = 2  # numbers stand anywhere
            return loaded

        lefts = rows(signature.args[0], of_left, i, LEFT)
        rights = rows(signature.args[2], of_right, j, RIGHT)
        outs = rows(signature.args[6], of_out, k, LEFT)
        multiply = builder.module.declare_intrinsic(
            "llvm.x86.avx2.pmadd.wd", (), ir.FunctionType(sums, [vector, vector])
        )
        add_up = builder.module.declare_intrinsic(
            "llvm.vector.reduce.add.v8i32", (), ir.FunctionType(ir.IntType(32), [sums])
        )
        zeros = ir.Constant(sums, [0] * (LANES // 2))
        totals = [[cgutils.alloca_once(builder, sums) for _ in rights] for _ in lefts]
        for of_row in totals:
            for total in of_row:
                builder.store(zeros, total)
        loop = cgutils.for_range_slice(builder, low, high, number(LANES), low.type)
        with loop as (column, _):
            factors = [load(row, column) for row in rights]
            for row, of_row in zip(lefts, totals, strict=True):
                factor = load(row, column)
                for other, total in zip(factors, of_row, strict=True):
                    product = builder.call(multiply, [factor, other])
                    builder.store(builder.add(builder.load(total), product), total)
        for row, of_row in zip(outs, totals, strict=True):
            for column, total in enumerate(of_row):
                place = builder.gep(row, [builder.add(j, number(column))])
                found = builder.call(add_up, [builder.load(total)])
                builder.store(builder.add(builder.load(place), found), place)
        return context.get_dummy_value()

    return signature, generate


#: What numba calls without the first argument.
add_tile: Any = intrinsic(_add_tile)


@compiled
def shorten_rows(matrix, short, units, norms, roundings, first, last):
    """Round rows to integers of 16 bits, times a unit for each row.

    Parameters
    ----------
    matrix : (n, d), float32
    short : (n, d or more), int16
        Take the integers.
    units : (n,), float32
        Take what an integer of 1 stands for.
    norms, roundings : (n,), float32
        Take the norm of each row, and that of what rounding changed.
    """
    for row in range(first, last):
        square = np.float32(0)
        for i in range(matrix.shape[1]):
            square += matrix[row, i] * matrix[row, i]
        norm = np.sqrt(square)
        if norm < SMALLEST_NORM:
            norms[row] = roundings[row] = SMALLEST_NORM
            units[row] = 0
            short[row, :] = 0
            continue
        steps, unit = np.float32(_NORM / norm), np.float32(norm / _NORM)
        square_of_change = np.float32(0)
        for i in range(matrix.shape[1]):
            there = np.rint(matrix[row, i] * steps)
            short[row, i] = np.int16(there)
            change = matrix[row, i] - there * unit
            square_of_change += change * change
        units[row], norms[row], roundings[row] = unit, norm, np.sqrt(square_of_change)


@compiled
def rough_products(left, left_units, right, right_units, bias, bits, first, last):
    """``left @ right.T + bias`` of `shorten_rows`, rounded to bfloat16.

    Parameters
    ----------
    left : (n + LEFT - 1 or more, d), int16
        Rows after the last may hold anything. d is a multiple of LANES.
    left_units : (n,), float32
    right : (m, d), int16
        m is a multiple of RIGHT.
    right_units, bias : (m,), float32
    bits : (n, m), int16
        Take the bits of the rounded numbers.
    """
    m, width = right.shape
    sums = np.empty((_BLOCK, m), np.int32)
    numbers = np.empty(m, np.float32)
    exact = numbers.view(np.int32)
    for begin in range(first, last, _BLOCK):
        end = min(begin + _BLOCK, last)
        sums[:] = 0
        for low in range(0, width, _DEPTH):
            high = min(low + _DEPTH, width)
            for column in range(0, m, RIGHT):
                for row in range(begin, end, LEFT):
                    add_tile(left, row, right, column, low, high, sums, row - begin)
        for row in range(begin, end):
            unit, of_row, out = left_units[row], sums[row - begin], bits[row]
            for i in range(m):
                numbers[i] = np.float32(of_row[i]) * (unit * right_units[i]) + bias[i]
            for i in range(m):
                out[i] = np.int32(exact[i] + 0x7FFF + ((exact[i] >> 16) & 1)) >> 16
