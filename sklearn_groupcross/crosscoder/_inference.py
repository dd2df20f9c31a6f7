"""What a trained crosscoder does with numpy arrays, some rows at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._activations import activate
from ._objective import preactivations, reconstruct
from ._parameters import Parameters

FloatArray = NDArray[np.floating]

_ROWS_A_PASS = 4096


def encode(activations: FloatArray, parameters: Parameters, k: int | None) -> FloatArray:
    """Codes (n, m) of untransformed activations (n, d)."""
    return _map_rows(
        lambda rows: activate(preactivations(rows, parameters), k),
        activations,
        len(parameters.encoder),
        parameters.encoder.device,
    )


def decode(codes: FloatArray, parameters: Parameters, order: int) -> FloatArray:
    """Orbit stacks (n, |G| d), blocks side by side, from codes (n, m)."""
    return _map_rows(
        lambda rows: reconstruct(rows, parameters, order),
        codes,
        parameters.decoder.shape[1],
        parameters.decoder.device,
    )


def explained_variance(
    orbits: FloatArray, parameters: Parameters, order: int, k: int | None
) -> float:
    """Share of the variance of orbit stacks (n, |G| d) that their reconstruction explains."""
    mean = orbits.mean(axis=0, dtype=np.float64)
    n_channels = orbits.shape[1] // order
    error, total = 0.0, 0.0
    for start in range(0, len(orbits), _ROWS_A_PASS):
        part = orbits[start : start + _ROWS_A_PASS]
        codes = encode(part[:, :n_channels], parameters, k)
        residual = part - decode(codes, parameters, order)
        error += float(np.square(residual, dtype=np.float64).sum())
        total += float(np.square(part - mean).sum())
    return 1.0 - error / total if total > 0 else float(error == 0)


def _map_rows(
    function: Callable[[Tensor], Tensor], array: FloatArray, n_columns: int, device: torch.device
) -> FloatArray:
    """Apply a function of tensors to the rows of an array; the float dtype stays."""
    result = np.empty((len(array), n_columns), dtype=array.dtype)
    for start in range(0, len(array), _ROWS_A_PASS):
        rows = slice(start, start + _ROWS_A_PASS)
        result[rows] = function(torch.tensor(array[rows], device=device)).cpu().numpy()
    return result
