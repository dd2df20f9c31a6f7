"""Active codes without exact pre-activations of the others.

Rough pre-activations cost less than exact ones. They are wrong by no more than a bound that follows
from norms; what could be among the largest within it is computed again in float32, and chosen from
that. So codes are those of exact products, to rounding.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._parallel import Run
from .._parameters import Parameters
from . import _kernels as kernels
from ._rough_encoders import CHUNK, RoughEncoder
from ._sparse_codes import SparseCodes

# Share of codes that could be among the largest from which exact products of all are faster.
_MAX_CANDIDATES = 1 / 8


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
        screen = Screen.of(inputs, rough, run)
        codes = screen.largest_of_batch(k) if of_batch else screen.largest(k)
    if codes is not None:
        return codes
    return SparseCodes.largest(parameters.preactivations(inputs), k, run, of_batch=of_batch)


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

    @classmethod
    def of(cls, inputs: Tensor, rough: RoughEncoder, run: Run) -> Screen:
        """Screen inputs (n, d), float32; what was screened before is lost."""
        inputs = inputs.contiguous()
        exact = inputs.numpy(), rough.encoder.numpy(), rough.bias.numpy()
        return cls(*rough.preactivations(inputs, run), exact, run)

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
        n_columns, size = self._rough.shape[1], CHUNK
        while size > 1 and n_columns < 4 * k * size:
            size //= 2
        return n_columns // size
