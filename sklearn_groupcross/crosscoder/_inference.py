"""What a trained crosscoder does with orbit stacks, some rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from torch import Tensor

from .._parallel import sharing
from .._plain import as_tensor
from .._stacks._moments import Moments, warn_of_one_sample
from .._stacks._rows import Rows, check_finite
from ._activations import Activation
from ._active._rough_encoders import RoughEncoder
from ._active._sparse_codes import add_products_, rebuild
from ._parameters import Parameters

# Threads that change from one job to the next lose time, so that parts of the samples are long;
# the sparse product also reads all atoms once for each.
_BYTES_OF_CODES, _BYTES_OF_ORBITS = 1 << 27, 1 << 28


@dataclass(frozen=True)
class FittedDictionary:
    """Weights on a device, and how codes come of pre-activations.

    Attributes
    ----------
    parameters : Parameters
        In the units of the data.
    threshold : Tensor, scalar or of shape (m,)
        What a code has to exceed, if the activation asks for that.
    rule : Activation
    """

    parameters: Parameters
    threshold: Tensor
    rule: Activation

    def encode(self, block: Tensor, out: Tensor | None = None) -> Tensor:
        """Codes (n, m) of the blocks that the encoder reads; written into zeros if they are given.

        Memory that the system hands out as zeros need not be filled with them again.
        """
        return self.rule.infer(block, self.parameters, self.threshold, self._rough, out)

    @cached_property
    def _rough(self) -> RoughEncoder | None:
        rough = self.rule.rough_encoder(self.parameters)
        if rough is not None:
            with sharing() as run:
                rough.refresh(run)
        return rough

    def decode(self, codes: Tensor) -> Tensor:
        """Orbit stacks (n, |G| d), blocks side by side, of codes (n, m)."""
        return rebuild(codes, self.parameters)

    @staticmethod
    def add_products_(sums: Tensor, codes: Tensor, stacks: Tensor) -> None:
        """Add ``codes.T @ stacks`` to sums (m, w), of codes (n, m) and orbit stacks (n, w)."""
        add_products_(sums, codes, stacks)


def encode(
    rows: Rows, dictionary: FittedDictionary, *, sparse: bool
) -> NDArray[np.floating] | csr_array:
    """Codes (n, m) of orbit stacks; only the columns that the encoder reads are read.

    Raises
    ------
    ValueError
        If they hold NaN or infinity.
    """
    encoder = dictionary.parameters.encoder
    n_atoms, n_read = encoder.shape
    dense = None if sparse else np.zeros((len(rows), n_atoms), dtype=rows.dtype)
    parts = []
    for part in rows.slices(max(n_read, n_atoms), _BYTES_OF_CODES):
        block = rows.read(part, columns=slice(n_read), dtype=encoder.dtype, to_change=False)
        check_finite(block, range(part.start, part.stop))
        if dense is None:
            codes = dictionary.encode(block.to(encoder.device)).cpu().numpy()
            parts.append(csr_array(codes.astype(rows.dtype, copy=False)))
        elif encoder.device.type == "cpu" and block.numpy().dtype == dense.dtype:
            dictionary.encode(block, out=torch.from_numpy(dense[part]))
        else:
            dense[part] = dictionary.encode(block.to(encoder.device)).cpu().numpy()
    return vstack(parts, format="csr") if dense is None else dense


def decode(
    codes: NDArray[np.floating] | csr_array, dictionary: FittedDictionary
) -> NDArray[np.floating]:
    """Orbit stacks (n, |G| d), blocks side by side, of dense or CSR codes (n, m)."""
    decoder = dictionary.parameters.decoder
    orbits = np.empty((codes.shape[0], decoder.shape[1]), dtype=codes.dtype)
    for part in Rows(orbits).slices(max(codes.shape[1], orbits.shape[1]), _BYTES_OF_ORBITS):
        block = codes[part]
        block = block.toarray() if hasattr(block, "toarray") else block
        tensor = as_tensor(block, decoder.dtype).to(decoder.device)
        orbits[part] = dictionary.decode(tensor).cpu().numpy()
    return orbits


def explained_variance(rows: Rows, dictionary: FittedDictionary) -> float:
    """Share of the variance of orbit stacks (n, |G| d) that their reconstruction explains.

    NaN, with a warning, for a single sample.
    """
    encoder = dictionary.parameters.encoder
    moments, error = Moments(rows.shape[1]), 0.0
    for part in rows.slices():
        block = rows.read(part, dtype=encoder.dtype, to_change=False)
        check_finite(block, range(part.start, part.stop))
        moments.update(block.numpy())
        block = block.to(encoder.device)
        residual = block - dictionary.decode(dictionary.encode(block[:, : encoder.shape[1]]))
        # widened first: squares of small and large numbers leave the range of float32
        error += float(residual.double().square().sum())
    if len(rows) < 2:
        warn_of_one_sample("explained variance")
        return float("nan")
    total = moments.variance * len(rows)
    return 1.0 - error / total if total > 0 else float(error == 0)
