"""Sums over samples from which a decoder of frozen codes follows; they add up over parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .._stacks._rows import Rows, check_finite
from ..crosscoder import GroupCrosscoder, codes_of_activations

Indices = NDArray[np.int64]

# Rows are read this many bytes at a time, of the width that they are summed in.
_BYTES_A_BATCH = 2**27
_COLUMNS_A_PASS = 512


@dataclass(frozen=True)
class CodeMoments:
    """Sums over samples from which a decoder follows, and how well one does on these samples.

    Attributes
    ----------
    n_samples : int
    mean_code : ndarray of shape (m,)
    mean_orbit : ndarray of shape (order * d,)
    codes_codes : ndarray of shape (m, m)
        ``Σ (f − mean)ᵀ (f − mean)``.
    codes_orbits : ndarray of shape (m, order * d)
        ``Σ (f − mean)ᵀ (O − mean)``.
    total : float
        ``Σ ‖O − mean‖²``.
    firings : ndarray of shape (m,), int64
    """

    n_samples: int
    mean_code: NDArray[np.float64]
    mean_orbit: NDArray[np.float64]
    codes_codes: NDArray[np.float64]
    codes_orbits: NDArray[np.float64]
    total: float
    firings: NDArray[np.int64]


def code_moments(crosscoder: GroupCrosscoder, orbits: Any, indices: Indices | None) -> CodeMoments:
    """Sum over the samples at increasing indices (None: over all).

    What can be lifted is for `check_lift` to check.
    """
    rows = Rows(orbits)
    n_samples = len(rows) if indices is None else len(indices)
    m, n_columns = len(crosscoder.components_), rows.shape[1]
    codes_codes, codes_orbits = np.zeros((m, m)), np.zeros((m, n_columns))
    codes_sum, orbits_sum = np.zeros(m), np.zeros(n_columns)
    squares, firings = 0.0, np.zeros(m, dtype=np.int64)
    origin: NDArray[np.floating] | None = None
    for block in _batches(rows, indices):
        codes = _encode(crosscoder, block)
        samples = block.numpy()
        origin = samples.mean(axis=0) if origin is None else origin
        codes_codes += (codes.T @ codes).toarray()
        by_feature = codes.T.tocsr().astype(samples.dtype)
        # few columns at a time stay in the cache: several times as fast as all of them
        for start in range(0, n_columns, _COLUMNS_A_PASS):
            part = slice(start, start + _COLUMNS_A_PASS)
            # sums about a point near the mean: differences of large sums would lose digits
            near = samples[:, part] - origin[part]
            codes_orbits[:, part] += by_feature @ near
            orbits_sum[part] += near.sum(axis=0, dtype=np.float64)
            squares += float(np.vdot(near, near))
        codes_sum += codes.sum(axis=0)
        firings += (codes > 0).sum(axis=0)
    if origin is None:
        raise ValueError("There are no samples to sum over.")
    mean_code, mean_orbit = codes_sum / n_samples, orbits_sum / n_samples
    codes_codes -= n_samples * np.outer(mean_code, mean_code)
    codes_orbits -= np.outer(codes_sum, mean_orbit)
    total = squares - n_samples * float(np.square(mean_orbit).sum())
    return CodeMoments(
        n_samples, mean_code, origin + mean_orbit, codes_codes, codes_orbits, total, firings
    )


def joined(first: CodeMoments, second: CodeMoments) -> CodeMoments:
    """Moments of the samples of both."""
    return _moved(first, second, 1)


def without(whole: CodeMoments, part: CodeMoments) -> CodeMoments:
    """Moments of the samples of the whole that are not of the part."""
    remaining = _moved(whole, part, -1)
    silent = remaining.firings == 0  # exactly 0, and not what rounding leaves
    remaining.mean_code[silent] = 0
    remaining.codes_codes[silent] = 0
    remaining.codes_codes[:, silent] = 0
    remaining.codes_orbits[silent] = 0
    return remaining


def _moved(first: CodeMoments, second: CodeMoments, sign: int) -> CodeMoments:
    """Add samples to those of the first, or take them out; sums stay about the common mean."""
    n = first.n_samples + sign * second.n_samples
    share = sign * second.n_samples / n
    codes = second.mean_code - first.mean_code
    orbits = second.mean_orbit - first.mean_orbit
    between = first.n_samples * share
    codes_orbits = np.outer(between * codes, orbits)
    codes_orbits += first.codes_orbits
    # in place: there are millions of them
    codes_orbits = (np.add if sign > 0 else np.subtract)(
        codes_orbits, second.codes_orbits, out=codes_orbits
    )
    return CodeMoments(
        n,
        first.mean_code + share * codes,
        first.mean_orbit + share * orbits,
        first.codes_codes + sign * second.codes_codes + between * np.outer(codes, codes),
        codes_orbits,
        first.total + sign * second.total + between * float(orbits @ orbits),
        first.firings + sign * second.firings,
    )


def _batches(rows: Rows, indices: Indices | None) -> Any:
    """Batches of rows, as float32 or float64 tensors on the CPU, checked to be finite."""
    dtype = torch.float64 if rows.dtype == np.float64 else torch.float32
    n_samples = len(rows) if indices is None else len(indices)
    size = max(1, _BYTES_A_BATCH // (dtype.itemsize * rows.shape[1]))
    for start in range(0, n_samples, size):
        part = slice(start, min(start + size, n_samples))
        numbers = np.arange(part.start, part.stop) if indices is None else indices[part]
        block = rows.read(part if indices is None else numbers, dtype=dtype)
        check_finite(block, numbers, "Input orbits")
        yield block


def _encode(crosscoder: GroupCrosscoder, block: torch.Tensor) -> csr_array:
    """Codes of the identity blocks; mostly zeros, so that products with them are cheap."""
    identity = block[:, : crosscoder.n_channels_].numpy()
    return csr_array(codes_of_activations(crosscoder, identity, sparse=True)).astype(np.float64)
