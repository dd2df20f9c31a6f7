"""Reconstruction from the active codes alone, on a GPU.

TopK and BatchTopK keep as many codes of every batch, so that the host need not ask how many there
are. Each product is checked against the dense one that it stands for.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor

from ..._ambient import warn_caller
from .._activations._largest import Largest
from .._options import TrainingOptions
from .._parameters import Parameters
from .._selection import largest

# Atoms for each active code, and numbers in a decoder, from which gathering is faster than a dense
# product. Measured on an H200 with 128 and 512 atoms a code: of 126e6 and 503e6 numbers it was
# faster in every precision, by 4 % in bfloat16 and four times in float32 at 128; of 2e6 and 8e6 it
# was slower by a fifth, since launching more kernels takes the host longer. That float32 pays from
# 30 atoms on is counted: an atom of a sample costs 6 operations a column at 50e12 a second, a code
# that is gathered 12 bytes a column at some 5e12 a second from the second-level cache.
_ATOMS_PER_CODE = {"bfloat16": 128, "tf32": 128, "float32": 30}
_LEAST_NUMBERS = 1 << 25


def is_faster_gathered(parameters: Parameters, rule: Largest, options: TrainingOptions) -> bool:
    """Whether gathering the active atoms is possible on this device, and faster."""
    decoder = parameters.decoder
    if decoder.device.type != "cuda":
        return False
    is_sparse = len(decoder) >= _ATOMS_PER_CODE[options.precision] * rule.k
    is_large = decoder.numel() >= _LEAST_NUMBERS
    return is_sparse and is_large and works_on(decoder.device, options.matmul_dtype)


@cache
def works_on(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether Triton is there and does what a dense product does; if it does not, warn."""
    if find_spec("triton") is None:  # not every build of torch brings it
        return False
    # small integers, which are exact in every precision
    floats: dict[str, Any] = {"dtype": torch.float32, "device": device}
    codes = torch.tensor([0.0, 2.0, 0.0, 1.0, 0.0, -1.0], **floats).requires_grad_()
    decoder = torch.arange(12.0, **floats).reshape(3, 4).requires_grad_()
    pull = torch.tensor([[1.0, -2.0, 0.0, 3.0], [2.0, 1.0, -1.0, 0.0]], **floats)
    places = torch.arange(6, dtype=torch.int64, device=device)
    learned = codes, decoder
    try:
        with torch.enable_grad():
            found = gather(codes, places, 2, decoder, dtype)
            expected = codes.reshape(2, 3) @ decoder
            pairs = zip(
                (found, *torch.autograd.grad(found, learned, pull)),
                (expected, *torch.autograd.grad(expected, learned, pull)),
                strict=True,
            )
        why = "" if all(torch.equal(*pair) for pair in pairs) else "its results are wrong"
    except Exception as error:  # a compiler, a driver or a launcher may say anything
        why = shorten(f"{type(error).__name__}: {error}", 300)
    if why:
        warn_caller(
            f"Triton does not work on {device} ({why}). Training goes on with products of all "
            "atoms, which take longer where few of many are active.",
            RuntimeWarning,
        )
    return not why


def gathered(
    values: Tensor, parameters: Parameters, rule: Largest, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Codes of pre-activations (n, m), without a gradient, and their reconstruction (n, w)."""
    kept, places = largest(values, rule.k, of_batch=rule.of_batch)
    codes = torch.zeros_like(values).flatten().scatter_(0, places, kept.detach())
    product = gather(kept, places, len(values), parameters.decoder, dtype)
    return codes.reshape(values.shape), product + parameters.flat_bias()


def gather(codes: Tensor, places: Tensor, n: int, decoder: Tensor, dtype: torch.dtype) -> Tensor:
    """``S @ decoder`` for a matrix S (n, m) that is zero but for some codes.

    Parameters
    ----------
    codes : Tensor of shape (nnz,), float32
    places : Tensor of shape (nnz,), int64
        Of the codes in S, row by row.
    n : int
    decoder : Tensor of shape (m, w), float32
    dtype : torch.dtype
        To which the decoder and the gradient of the product are rounded; sums are float32.

    Returns
    -------
    product : Tensor of shape (n, w), float32
    """
    return _Gather.apply(codes, places, n, decoder, dtype)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, codes: Tensor, places: Tensor, n: int, decoder: Tensor, dtype: torch.dtype
    ) -> Tensor:
        rows = torch.div(places, len(decoder), rounding_mode="floor")
        columns = places - rows * len(decoder)
        indptr = _indptr(rows, n)
        atoms = decoder.to(dtype)
        ctx.save_for_backward(codes, rows, columns, indptr, atoms)
        return _sums(indptr, columns, codes, atoms)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        codes, rows, columns, indptr, atoms = ctx.saved_tensors
        grad_out = gradients[0].to(atoms.dtype).contiguous()
        grad_codes = _products(indptr, columns, grad_out, atoms)
        columns, order = columns.sort(stable=True)
        by_atom = _indptr(columns, len(atoms)), rows[order], codes[order]
        return grad_codes, None, None, _sums(*by_atom, grad_out), None


def _indptr(numbers: Tensor, n: int) -> Tensor:
    """Where each of 0, ..., n - 1 begins among sorted numbers, and where the last ends."""
    bounds = torch.arange(n + 1, dtype=torch.int64, device=numbers.device)
    return torch.searchsorted(numbers, bounds)


def _sums(indptr: Tensor, indices: Tensor, data: Tensor, matrix: Tensor) -> Tensor:
    """``out[i] = Σ_j data[j] matrix[indices[j]]``, for j from ``indptr[i]`` on."""
    from . import _triton_kernels as kernels

    n, width = len(indptr) - 1, matrix.shape[1]
    tile = kernels.TILE_BYTES // matrix.element_size()
    out = torch.empty(n, width, dtype=torch.float32, device=matrix.device)
    with torch.cuda.device_of(matrix):
        kernels.add_rows[n, -(-width // tile)](
            indptr, indices, data, matrix, out, width, tile, kernels.N_TOGETHER
        )
    return out


def _products(indptr: Tensor, indices: Tensor, vectors: Tensor, matrix: Tensor) -> Tensor:
    """``out[j] = ⟨vectors[i], matrix[indices[j]]⟩``, for j from ``indptr[i]`` on."""
    from . import _triton_kernels as kernels

    (n, width), n_entries = vectors.shape, len(indices)
    tile = kernels.TILE_BYTES // matrix.element_size()
    n_tiles = -(-width // tile)
    products = torch.empty(n_tiles, n_entries, dtype=torch.float32, device=matrix.device)
    with torch.cuda.device_of(matrix):
        kernels.products_at[n, n_tiles](
            indptr, indices, vectors, matrix, products, width, n_entries, tile, kernels.N_TOGETHER
        )
    return products.sum(0)
