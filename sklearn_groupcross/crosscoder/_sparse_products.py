"""Products with codes that are mostly zero, at the cost of those that are not.

Each is checked against the dense product that it stands for. They run on the CPU: there, gathering
the few atoms of a sample is many times faster than multiplying by all of them, while a GPU has more
dense arithmetic than memory bandwidth to gather with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

#: Share of non-zero numbers up to which products leave zeros out. A gathered number costs some ten
#: times a multiplied one; at 0.8 % a step is 2.6 times as fast (benchmarks/training_speed.py).
MAX_SPARSE_SHARE = 1 / 32
# Gradients of atoms are made in portions that malloc keeps for the next: 16 MiB of float32.
_NUMBERS_A_PORTION = 1 << 22


@dataclass(frozen=True)
class Pattern:
    """Where the non-zero numbers of a matrix (n, m) stand, row by row and column by column.

    Attributes
    ----------
    rows, columns : Tensor of shape (nnz,), int64
        Row by row.
    row_starts : Tensor of shape (n,), int64
        Where each row begins among them.
    by_column : Tensor of shape (nnz,), int64
        Brings them into the order of columns, rows rising within each.
    column_starts : Tensor of shape (m + 1,), int64
        Where each column begins in that order, and the end of the last.
    """

    rows: Tensor
    columns: Tensor
    row_starts: Tensor
    by_column: Tensor
    column_starts: Tensor

    @classmethod
    def of(cls, matrix: Tensor) -> Pattern:
        """Find the non-zero numbers of a matrix, or True in a mask, of shape (n, m)."""
        n, m = matrix.shape
        rows, columns = matrix.nonzero(as_tuple=True)
        row_ends = torch.bincount(rows, minlength=n).cumsum(0)
        column_ends = torch.bincount(columns, minlength=m).cumsum(0)
        start = column_ends.new_zeros(1)
        return cls(
            rows=rows,
            columns=columns,
            row_starts=torch.cat([start, row_ends[:-1]]),
            by_column=columns.argsort(stable=True),
            column_starts=torch.cat([start, column_ends]),
        )


def is_worth_it(matrix: Tensor) -> bool:
    """Whether products with a matrix are faster when its zeros are left out."""
    if matrix.device.type != "cpu":
        return False
    return int(matrix.count_nonzero()) <= MAX_SPARSE_SHARE * matrix.numel()


def transposed_product(
    pattern: Pattern, values: Tensor, dense: Tensor, out: Tensor | None = None
) -> Tensor:
    """``Sᵀ D`` for sparse S (n, m), given by its pattern and values, and dense D (n, w).

    Parameters
    ----------
    pattern : Pattern
    values : Tensor of shape (nnz,)
        Row by row.
    dense : Tensor of shape (n, w)
    out : Tensor of shape (m, w), optional
        Where the product is written.
    """
    n_columns, width = len(pattern.column_starts) - 1, dense.shape[1]
    out = dense.new_empty(n_columns, width) if out is None else out
    rows, values = pattern.rows[pattern.by_column], values[pattern.by_column]
    starts = pattern.column_starts.tolist()
    step = max(1, _NUMBERS_A_PORTION // width)
    for first in range(0, n_columns, step):
        last = min(first + step, n_columns)
        part = slice(starts[first], starts[last])
        out[first:last] = embedding_bag(
            rows[part],
            dense,
            pattern.column_starts[first:last] - starts[first],
            mode="sum",
            per_sample_weights=values[part],
        )
    return out


def decode(
    codes: Tensor,
    decoder: Tensor,
    reach: Tensor | None = None,
    buffer: Tensor | None = None,
    *,
    with_norms: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """``codes @ decoder`` and the norms of the atoms, both differentiable.

    Parameters
    ----------
    codes : Tensor of shape (n, m)
        Mostly zero.
    decoder : Tensor of shape (m, w)
    reach : Tensor of shape (n, m), bool, optional
        Codes whose gradient is wanted, the active ones among them. Default: those alone.
    buffer : Tensor of shape (m, w), optional
        Memory for the gradient of the decoder, taken by the caller from step to step: a fresh
        piece of that size would cost as much as the product that fills it.
    with_norms : bool, default=True
        Otherwise there are no norms, which take a pass over all atoms.

    Returns
    -------
    product : Tensor of shape (n, w)
    norms : Tensor of shape (m,) or None
    """
    return _Decode.apply(codes, decoder, reach, buffer, with_norms)


class _Decode(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        codes: Tensor,
        decoder: Tensor,
        reach: Tensor | None,
        buffer: Tensor | None,
        with_norms: bool,
    ) -> tuple[Tensor, Tensor | None]:
        pattern = Pattern.of(codes if reach is None else reach)
        norms = decoder.norm(dim=1) if with_norms else None
        with torch.enable_grad():  # torch's own gradient of the weights is the sampled product
            values = codes.detach()[pattern.rows, pattern.columns].requires_grad_(True)
            product = embedding_bag(
                pattern.columns,
                decoder.detach(),
                pattern.row_starts,
                mode="sum",
                per_sample_weights=values,
            )
        ctx.pattern, ctx.values, ctx.product, ctx.buffer = pattern, values, product, buffer
        ctx.shape = codes.shape
        ctx.save_for_backward(decoder, norms)
        return product.detach(), norms

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient, norms_gradient = gradients
        decoder, norms = ctx.saved_tensors
        pattern, values = ctx.pattern, ctx.values
        gradient = gradient.contiguous()
        (of_values,) = torch.autograd.grad(ctx.product, values, gradient)
        of_codes = gradient.new_zeros(ctx.shape)
        of_codes[pattern.rows, pattern.columns] = of_values
        out = torch.empty_like(decoder) if ctx.buffer is None else ctx.buffer
        of_decoder = transposed_product(pattern, values.detach(), gradient, out)
        if norms is not None and norms_gradient is not None:
            pull = torch.where(norms > 0, norms_gradient / norms, 0.0)
            of_decoder.addcmul_(decoder, pull[:, None])
        # a new tensor over the same memory: autograd takes it as it is, where it would copy one
        # that somebody else holds
        return of_codes, of_decoder.detach(), None, None, None


def linear(inputs: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """``inputs @ weights.T + bias``, whose gradient is made from what is not zero.

    Nothing is learned through `inputs` (n, d); `weights` are of shape (m, d).
    """
    return _Linear.apply(inputs, weights, bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs)
        return torch.addmm(bias, inputs, weights.T)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (inputs,) = ctx.saved_tensors
        of_bias = gradient.sum(0)
        if not is_worth_it(gradient):
            return None, gradient.T @ inputs, of_bias
        pattern = Pattern.of(gradient)
        values = gradient[pattern.rows, pattern.columns]
        return None, transposed_product(pattern, values, inputs.contiguous()), of_bias
