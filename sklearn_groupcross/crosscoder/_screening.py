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

from . import _kernels as kernels
from ._objective import preactivations
from ._parallel import Run
from ._parameters import Parameters
from ._sparse_codes import SparseCodes

# Relative errors, at most: of a number that is rounded to bfloat16; twice that of a bias that is
# split into two such numbers, and of one addition in float32.
_RESULT_ERROR, _BIAS_ERROR, _SUM_ERROR = 2.0**-8, 2.0**-15, 2.0**-23
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
    values = preactivations(inputs, parameters)
    largest = SparseCodes.largest_of_batch if of_batch else SparseCodes.largest
    return largest(values, k)


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
        self.encoder, self.bias = encoder, bias
        n_atoms, n_read = encoder.shape
        # columns beyond the atoms fill the last chunk: nothing is large there
        n_columns = -(-n_atoms // _CHUNK) * _CHUNK
        self._weights = torch.zeros(n_columns, n_read + 2, dtype=torch.bfloat16)
        self._weights[n_atoms:, n_read] = -torch.inf
        self._weights[:n_atoms, :n_read] = encoder
        # a bias is the sum of two numbers, for inputs of 1
        self._weights[:n_atoms, n_read] = bias
        self._weights[:n_atoms, n_read + 1] = bias - self._weights[:n_atoms, n_read].float()
        rounded = self._weights[:n_atoms, :n_read].float()
        self._largest_norm = _largest_norm(encoder)
        self._largest_rounding = _largest_norm(encoder - rounded)
        self._largest_bias = float(bias.abs().max())

    def screen(self, inputs: Tensor, run: Run) -> Screen:
        """Rough pre-activations of inputs (n, d), float32."""
        inputs = inputs.contiguous()
        extended = torch.ones(len(inputs), inputs.shape[1] + 2, dtype=torch.bfloat16)
        extended[:, :-2] = inputs
        # Cauchy and Schwarz: ⟨x, w⟩ − ⟨x', w'⟩ = ⟨x − x', w⟩ + ⟨x', w − w'⟩
        roundings = torch.linalg.vector_norm(inputs - extended[:, :-2].float(), dim=1)
        norms = torch.linalg.vector_norm(inputs, dim=1)
        error = roundings * self._largest_norm + norms * self._largest_rounding
        sums = extended.shape[1] * _SUM_ERROR
        error += sums * (norms * self._largest_norm + self._largest_bias)
        # norms and this sum are rounded as well
        error = 1.01 * (error + _BIAS_ERROR * self._largest_bias)
        exact = inputs.numpy(), self.encoder.numpy(), self.bias.numpy()
        return Screen(extended @ self._weights.T, error.numpy(), exact, run)


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
        n, largest = len(self._error), self._largest(self._size(k))
        # k chunks have as large a number as that, so that k codes have
        place = largest.shape[1] - k
        last = np.partition(largest, place, axis=1)[:, place]
        columns, values = np.empty(n * k, np.int64), np.empty(n * k, np.float32)
        counts = np.empty(n, np.int64)
        given = self._bits, largest, self._cuts(last, self._error), *self._exact, k
        self._run(kernels.largest_of_rows, n, *given, columns, values, counts)
        if counts.max() == 16 * k:
            return None
        return SparseCodes((n, len(self._exact[2])), np.arange(n + 1) * k, columns, values)

    def largest_of_batch(self, k: int) -> SparseCodes | None:
        """The n·k largest of all samples together, where they are positive; as `largest`."""
        if not self._is_bounded:
            return None
        n, n_atoms = len(self._error), len(self._exact[2])
        largest = self._largest(self._size(k))
        place = largest.size - n * k
        last = np.partition(largest, place, axis=None)[place : place + 1]
        given = self._bits, largest, self._cuts(last, self._error.max())
        starts = np.zeros(n + 1, np.int64)
        self._run(kernels.count_candidates, n, *given, starts[1:])
        starts = starts.cumsum()
        if starts[-1] > _MAX_CANDIDATES * n * n_atoms:
            return None
        columns, values = np.empty(starts[-1], np.int64), np.empty(starts[-1], np.float32)
        self._run(kernels.gather_candidates, n, *given, starts, columns)
        self._run(kernels.products_at, n, *self._exact, starts, columns, values)
        keep = np.empty(len(columns), np.bool_)
        kernels.mark_largest(values, n * k, keep)
        return SparseCodes((n, n_atoms), starts, columns, values).where(keep)

    @property
    def _is_bounded(self) -> bool:
        """Whether anything is known: numbers may be too large for their norms."""
        return bool(np.isfinite(self._error).all())

    @property
    def _bits(self) -> NDArray[np.int16]:
        return self._rough.view(torch.int16).numpy()

    def _cuts(
        self, last: NDArray[np.int16], error_of_last: NDArray[np.float32]
    ) -> NDArray[np.int16]:
        """Below these nothing is positive, and as large as what is roughly `last`."""
        exact = _as_float(np.maximum(last, 0)) * (1 - _RESULT_ERROR) - error_of_last
        return _as_order(np.maximum(exact, 0.0) * (1 - _RESULT_ERROR) - self._error)

    def _size(self, k: int) -> int:
        """Columns of a chunk, of which there are several for each code that is wanted."""
        size = _CHUNK
        while size > 1 and self._rough.shape[1] < 4 * k * size:
            size //= 2
        return size

    def _largest(self, size: int) -> NDArray[np.int16]:
        """Largest number of each chunk of so many columns, (n, n_columns / size), as its bits."""
        chunks = self._rough.reshape(len(self._error), size, -1)
        return chunks.amax(1).view(torch.int16).numpy()


def _largest_norm(rows: Tensor) -> float:
    return float(torch.linalg.vector_norm(rows, dim=1).max())


def _as_order(numbers: NDArray[np.floating]) -> NDArray[np.int16]:
    """Integers in the order of numbers, rounded down to bfloat16."""
    bits = np.ascontiguousarray(numbers, np.float32).view(np.int32)
    return ((bits ^ ((bits >> 31) & 0x7FFFFFFF)) >> 16).astype(np.int16)


def _as_float(bits: NDArray[np.int16]) -> NDArray[np.float32]:
    """Numbers of the bits of non-negative bfloat16 numbers."""
    return (bits.astype(np.int32) << 16).view(np.float32)
