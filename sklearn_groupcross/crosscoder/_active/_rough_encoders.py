"""Pre-activations that are a little wrong, by no more than is said, and made in less time.

Which products make them is decided by the instructions of the processor, not by a measurement: on
a busy machine that would decide now one way and now another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._parallel import Run
from ..._processor import multiplies_bfloat16
from .._parameters import Parameters
from . import _kernels as kernels
from ._short_products import (
    LANES,
    LEFT,
    SMALLEST_NORM,
    multiplies_int16_fast,
    rough_products,
    shorten_rows,
)

# Relative errors, at most: twice that of a bias that is split into two bfloat16 numbers; of one
# addition in float32; of an integer that becomes a float32 number and is multiplied by two others.
_BIAS_ERROR, _SUM_ERROR, _UNITS_ERROR = 2.0**-15, 2.0**-23, 2.0**-19
# Weights of an encoder so small that its exact product takes no time to speak of.
_SMALL_ENCODER = 1 << 16
# Share of codes that are wanted from which finding them is faster in exact products.
_MAX_SHARE = 1 / 32
#: Columns are a multiple of this power of 2.
CHUNK = 32


class RoughEncoder(ABC):
    """An encoder's weights as other numbers, and norms of what rounding changed, for bounds.

    Parameters
    ----------
    encoder : Tensor of shape (m, d), float32
        On the CPU.
    bias : Tensor of shape (m,), float32
    """

    #: What is multiplied.
    numbers: ClassVar[str]

    @staticmethod
    def of(parameters: Parameters, k: int) -> RoughEncoder | None:
        """Make it of the encoder, if it makes finding the k largest of each sample faster."""
        kind, encoder = fastest_kind(), parameters.encoder.detach()
        is_large = encoder.numel() >= _SMALL_ENCODER and encoder.dtype == torch.float32
        is_sparse = k <= _MAX_SHARE * len(encoder)
        if kind is None or not (is_large and is_sparse and encoder.device.type == "cpu"):
            return None
        return kind(encoder, parameters.encoder_bias.detach())

    def __init__(self, encoder: Tensor, bias: Tensor) -> None:
        self.encoder, self.bias = encoder, bias
        # columns beyond the atoms fill the last chunk: nothing is large there
        self._n_columns = -(-len(encoder) // CHUNK) * CHUNK
        self._rough = torch.empty(0, self._n_columns, dtype=torch.bfloat16, device="cpu")

    @abstractmethod
    def refresh(self, run: Run) -> None:
        """Round the encoder, before the first preactivations and when it has changed."""

    @abstractmethod
    def preactivations(self, inputs: Tensor, run: Run) -> tuple[Tensor, NDArray[np.float32]]:
        """Rough pre-activations of inputs (n, d), float32; those made before are lost.

        Returns
        -------
        rough : Tensor of shape (n, n_columns), bfloat16
            Of the atoms, and -inf behind them.
        error : ndarray of shape (n,), float32
            By how much they are wrong at most, before they were rounded to bfloat16; not finite if
            nothing is known.
        """

    def _room(self, n: int) -> Tensor:
        """Memory for pre-activations: a fresh piece a batch can cost as much as the product."""
        if len(self._rough) < n:
            self._rough = torch.empty(n, self._n_columns, dtype=torch.bfloat16, device="cpu")
        return self._rough[:n]

    def _keep_largest(self, norms: NDArray[np.float32], roundings: NDArray[np.float32]) -> None:
        self._largest_norm, self._largest_rounding = norms.max(), roundings.max()
        self._largest_bias = np.float32(self.bias.abs().max())

    def _error(
        self,
        norms: NDArray[np.float32],
        roundings: NDArray[np.float32],
        sums: float,
        bias_error: float = 0.0,
    ) -> NDArray[np.float32]:
        """Bound of errors, of norms of inputs (n,) and relative errors of sums and of biases."""
        # Cauchy and Schwarz: ⟨x, w⟩ − ⟨x', w'⟩ = ⟨x − x', w⟩ + ⟨x', w − w'⟩
        with np.errstate(over="ignore", invalid="ignore"):  # then nothing is bounded
            rounded = norms + roundings
            error = roundings * self._largest_norm + rounded * self._largest_rounding
            error += np.float32(sums) * (rounded * self._largest_norm + self._largest_bias)
            # norms and this sum are rounded as well
            return np.float32(1.01) * (error + np.float32(bias_error) * self._largest_bias)


class Bfloat16Encoder(RoughEncoder):
    """On a CPU that multiplies bfloat16 in hardware: less than half the time of float32."""

    numbers = "bfloat16"

    def __init__(self, encoder: Tensor, bias: Tensor) -> None:
        super().__init__(encoder, bias)
        n_atoms, n_read = encoder.shape
        shape = self._n_columns, n_read + 2
        self._weights = torch.zeros(shape, dtype=torch.bfloat16, device="cpu")
        self._weights[n_atoms:, n_read] = -torch.inf

    def refresh(self, run: Run) -> None:
        n_atoms, n_read = self.encoder.shape
        weights, bias = self._weights[:n_atoms], self.bias
        self._keep_largest(*_round(self.encoder.contiguous(), weights, run))
        # a bias is the sum of two numbers, for inputs of 1
        weights[:, n_read] = bias
        weights[:, n_read + 1] = bias - weights[:, n_read].float()

    def preactivations(self, inputs: Tensor, run: Run) -> tuple[Tensor, NDArray[np.float32]]:
        n, n_read = inputs.shape
        extended = torch.ones(n, n_read + 2, dtype=torch.bfloat16, device="cpu")
        norms, roundings = _round(inputs, extended, run)
        error = self._error(norms, roundings, (n_read + 2) * _SUM_ERROR, _BIAS_ERROR)
        return torch.mm(extended, self._weights.T, out=self._room(n)), error


class Int16Encoder(RoughEncoder):
    """On a CPU with AVX2: two thirds of the time of float32. See `_short_products`."""

    numbers = "int16"

    def __init__(self, encoder: Tensor, bias: Tensor) -> None:
        super().__init__(encoder, bias)
        self._width = -(-encoder.shape[1] // LANES) * LANES
        self._weights = torch.zeros(self._n_columns, self._width, dtype=torch.int16, device="cpu")
        self._units = np.zeros(self._n_columns, np.float32)
        self._biases = np.full(self._n_columns, -np.inf, np.float32)
        self._inputs = torch.empty(0, self._width, dtype=torch.int16, device="cpu")

    def refresh(self, run: Run) -> None:
        n_atoms = len(self.encoder)
        weights, units = self._weights.numpy()[:n_atoms], self._units[:n_atoms]
        self._keep_largest(*_shorten(self.encoder.contiguous(), weights, units, run))
        self._biases[:n_atoms] = self.bias.numpy()

    def preactivations(self, inputs: Tensor, run: Run) -> tuple[Tensor, NDArray[np.float32]]:
        n = len(inputs)
        if len(self._inputs) < n + LEFT:
            # torch's memory begins where a line of the cache does, so that no load needs two
            self._inputs = torch.zeros(n + LEFT, self._width, dtype=torch.int16, device="cpu")
        short, units = self._inputs.numpy(), np.empty(n, np.float32)
        norms, roundings = _shorten(inputs, short, units, run)
        rough = self._room(n)
        bits, weights = rough.view(torch.int16).numpy(), self._weights.numpy()
        run(rough_products, n, short, units, weights, self._units, self._biases, bits)
        return rough, self._error(norms, roundings, _UNITS_ERROR)


def fastest_kind() -> type[RoughEncoder] | None:
    """What makes rough products fastest on this processor; None if exact ones are faster."""
    if multiplies_bfloat16():
        return Bfloat16Encoder
    return Int16Encoder if multiplies_int16_fast() else None


def _round(
    matrix: Tensor, rounded: Tensor, run: Run
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Round rows (n, d) to bfloat16; norms (n,) of each, and of what rounding changed."""
    n = len(matrix)
    norms, roundings = np.empty(n, np.float32), np.empty(n, np.float32)
    bits = rounded.view(torch.int16).numpy()
    run(kernels.round_rows, n, matrix.numpy(), bits, norms, roundings)
    # squares of smaller numbers may have come to nothing
    smallest = np.float32(SMALLEST_NORM)
    return np.maximum(norms, smallest), np.maximum(roundings, smallest)


def _shorten(
    matrix: Tensor, short: NDArray[np.int16], units: NDArray[np.float32], run: Run
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Round rows (n, d) to integers times units (n,); otherwise as `_round`."""
    n = len(matrix)
    norms, roundings = np.empty(n, np.float32), np.empty(n, np.float32)
    run(shorten_rows, n, matrix.numpy(), short, units, norms, roundings)
    return norms, roundings
