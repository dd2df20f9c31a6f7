"""Active codes without exact pre-activations of the others.

On a CPU that multiplies bfloat16 in hardware, rough pre-activations cost less than half of exact
ones. They are wrong by no more than a bound that follows from norms; what could be among the
largest within it is computed again in float32, and chosen from that. So codes are those of exact
products, to rounding.
"""

from __future__ import annotations

from functools import cache

import llvmlite.binding
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._parameters import Parameters
from . import _kernels as kernels
from ._parallel import Run
from ._sparse_codes import SparseCodes

# Relative errors, at most: twice that of a bias that is split into two bfloat16 numbers, and of one
# addition in float32.
_BIAS_ERROR, _SUM_ERROR = 2.0**-15, 2.0**-23
# Weights of an encoder so small that its exact product takes no time to speak of.
_SMALL_ENCODER = 1 << 16
# Shares of codes that are wanted, and that could be, from which exact products of all are faster.
_MAX_SHARE, _MAX_CANDIDATES = 1 / 32, 1 / 8
# Columns of which the largest number is looked at first; a power of 2.
_CHUNK = 32


@cache
def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for products of bfloat16 numbers."""
    features = llvmlite.binding.get_host_cpu_features()
    return any(features.get(name, False) for name in ("avx512bf16", "amx-bf16"))


def largest_codes(
    inputs: Tensor,
    rough: RoughEncoder | None,
    parameters: Parameters,
    k: int,
    run: Run,
    *,
    of_batch: bool,
) -> SparseCodes:
    """Codes of the k largest pre-activations of each sample, or of as many of the batch.

    Parameters
    ----------
    inputs : Tensor of shape (n, d)
        On the CPU.
    rough : RoughEncoder or None
        None where exact pre-activations of all atoms cost no more.
    parameters : Parameters
    k : int
    run : Run
    of_batch : bool
        Whether n·k codes are chosen from all samples together.
    """
    codes = None
    if rough is not None:
        screen = rough.screen(inputs, run)
        codes = screen.largest_of_batch(k) if of_batch else screen.largest(k)
    if codes is not None:
        return codes
    return SparseCodes.largest(parameters.preactivations(inputs), k, of_batch=of_batch)


class RoughEncoder:
    """Weights in bfloat16, and their norms.

    Parameters
    ----------
    encoder : Tensor of shape (m, d), float32
        On the CPU.
    bias : Tensor of shape (m,), float32
    """

    @classmethod
    def of(cls, parameters: Parameters, k: int) -> RoughEncoder | None:
        """Make it of the encoder, if it makes finding the k largest of each sample faster."""
        encoder = parameters.encoder.detach()
        is_large = encoder.numel() >= _SMALL_ENCODER and encoder.dtype == torch.float32
        is_sparse = k <= _MAX_SHARE * len(encoder)
        if not (is_large and is_sparse and encoder.device.type == "cpu" and multiplies_bfloat16()):
            return None
        return cls(encoder, parameters.encoder_bias.detach())

    def __init__(self, encoder: Tensor, bias: Tensor) -> None:
        self._encoder, self._bias = encoder, bias
        n_atoms, n_read = encoder.shape
        # columns beyond the atoms fill the last chunk: nothing is large there
        n_columns = -(-n_atoms // _CHUNK) * _CHUNK
        self._weights = torch.zeros(n_columns, n_read + 2, dtype=torch.bfloat16, device="cpu")
        self._weights[n_atoms:, n_read] = -torch.inf
        self._rough = torch.empty(0, n_columns, dtype=torch.bfloat16, device="cpu")

    def refresh(self, run: Run) -> None:
        """Round the encoder and its bias, before the first screen and when they have changed."""
        n_atoms, n_read = self._encoder.shape
        weights, bias = self._weights[:n_atoms], self._bias
        norms, roundings = _round(self._encoder.contiguous(), weights, run)
        # a bias is the sum of two numbers, for inputs of 1
        weights[:, n_read] = bias
        weights[:, n_read + 1] = bias - weights[:, n_read].float()
        self._largest_norm, self._largest_rounding = norms.max(), roundings.max()
        self._largest_bias = np.float32(bias.abs().max())

    def screen(self, inputs: Tensor, run: Run) -> Screen:
        """Rough pre-activations of inputs (n, d), float32; those of the last screen are lost."""
        inputs, n = inputs.contiguous(), len(inputs)
        extended = torch.ones(n, inputs.shape[1] + 2, dtype=torch.bfloat16, device="cpu")
        norms, roundings = _round(inputs, extended, run)
        # Cauchy and Schwarz: ⟨x, w⟩ − ⟨x', w'⟩ = ⟨x − x', w⟩ + ⟨x', w − w'⟩
        sums = np.float32(extended.shape[1] * _SUM_ERROR)
        with np.errstate(over="ignore", invalid="ignore"):  # then nothing is bounded
            rounded = norms + roundings
            error = roundings * self._largest_norm + rounded * self._largest_rounding
            error += sums * (rounded * self._largest_norm + self._largest_bias)
            # norms and this sum are rounded as well
            error = np.float32(1.01) * (error + np.float32(_BIAS_ERROR) * self._largest_bias)
        if len(self._rough) < n:
            # a fresh piece for each batch can cost as much as the product
            self._rough = torch.empty(n, len(self._weights), dtype=torch.bfloat16, device="cpu")
        rough = torch.mm(extended, self._weights.T, out=self._rough[:n])
        exact = inputs.numpy(), self._encoder.numpy(), self._bias.numpy()
        return Screen(rough, error, exact, run)


class Screen:
    """Rough pre-activations of a batch, and how far they may be from exact ones.

    Parameters
    ----------
    rough : Tensor of shape (n, n_columns), bfloat16
        Of the atoms, and -inf behind them.
    error : ndarray of shape (n,), float32
        By how much they are wrong at most, before they were rounded.
    exact : tuple of ndarray
        Inputs (n, d), encoder (m, d) and bias (m,), float32.
    run : Run
    """

    def __init__(
        self,
        rough: Tensor,
        error: NDArray[np.float32],
        exact: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
        run: Run,
    ) -> None:
        self._rough, self._error, self._exact, self._run = rough, error, exact, run

    def largest(self, k: int) -> SparseCodes | None:
        """The k largest of each sample, where they are positive; None if too many come near."""
        if not self._is_bounded:
            return None
        n = len(self._error)
        indices, data = np.empty(n * k, np.int64), np.empty(n * k, np.float32)
        counts = np.empty(n, np.int64)
        arguments = self._bits, self._n_chunks(k), self._error, *self._exact, k
        self._run(kernels.largest_of_rows, n, *arguments, indices, data, counts)
        if counts.min() < 0:
            return None
        return SparseCodes((n, len(self._exact[2])), np.arange(n + 1) * k, indices, data)

    def largest_of_batch(self, k: int) -> SparseCodes | None:
        """The n·k largest of all samples together, where they are positive; as `largest`."""
        if not self._is_bounded:
            return None
        n, n_atoms = len(self._error), len(self._exact[2])
        top = np.empty((n, self._n_chunks(k)), np.int16)
        self._run(kernels.largest_of_chunks, n, self._bits, top)
        # n·k chunks have as large a number as that, so that n·k codes have
        kth = np.partition(top, top.size - n * k, axis=None)[top.size - n * k]
        cut = kth, self._error.max(), self._error
        indptr = np.zeros(n + 1, np.int64)
        self._run(kernels.count_candidates, n, self._bits, *cut, indptr[1:])
        indptr = indptr.cumsum()
        if indptr[-1] > _MAX_CANDIDATES * n * n_atoms:
            return None
        indices, data = np.empty(indptr[-1], np.int64), np.empty(indptr[-1], np.float32)
        self._run(kernels.gather_candidates, n, self._bits, top, *cut, indptr, indices)
        self._run(kernels.products_at, n, *self._exact, indptr, indices, data)
        keep = np.empty(len(indices), np.bool_)
        kernels.mark_largest(data, n * k, keep)
        return SparseCodes((n, n_atoms), indptr, indices, data).where(keep)

    @property
    def _is_bounded(self) -> bool:
        """Whether anything is known: numbers may be too large for their norms."""
        return bool(np.isfinite(self._error).all())

    @property
    def _bits(self) -> NDArray[np.int16]:
        return self._rough.view(torch.int16).numpy()

    def _n_chunks(self, k: int) -> int:
        """Of columns, several for each code that is wanted."""
        n_columns, size = self._rough.shape[1], _CHUNK
        while size > 1 and n_columns < 4 * k * size:
            size //= 2
        return n_columns // size


def _round(
    matrix: Tensor, rounded: Tensor, run: Run
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Round rows (n, d) to bfloat16; norms (n,) of each, and of what rounding changed."""
    n = len(matrix)
    norms, roundings = np.empty(n, np.float32), np.empty(n, np.float32)
    bits = rounded.view(torch.int16).numpy()
    run(kernels.round_rows, n, matrix.numpy(), bits, norms, roundings)
    return norms, roundings
