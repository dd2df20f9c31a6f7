"""What pictures are to excite: an encoder's pre-activation, or the direction of a decoder block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..crosscoder import GroupCrosscoder

#: Cosine from which on the direction counts as well as the size: lucid's.
_LEAST_COSINE = 0.1
_TINY = 1e-12


@dataclass(frozen=True)
class Targets:
    """One target a picture, in float64: biases of data far from zero need it.

    Attributes
    ----------
    weights : Tensor of shape (n, n_channels)
        A row of the encoder, or an atom's block.
    centers : Tensor of shape (n, n_channels)
        What is subtracted from activations: 0, or the decoder's bias of the block.
    offsets : Tensor of shape (n,)
        The encoder's bias, or 0.
    is_block : Tensor of shape (n,), bool
    """

    weights: Tensor
    centers: Tensor
    offsets: Tensor
    is_block: Tensor

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, part: slice) -> Targets:
        return Targets(*(tensor[part] for tensor in vars(self).values()))

    def to(self, device: torch.device) -> Targets:
        """Return the same targets on a device."""
        return Targets(*(tensor.to(device) for tensor in vars(self).values()))

    def objective(self, activations: Tensor) -> Tensor:
        """What is to grow, (n,): the pre-activation, or projection times cosine.

        A projection alone grows with whatever makes activations large, and a cosine alone is as
        good where the unit hardly answers. Their product is that of lucid.
        """
        product, projection, cosine = self._measure(activations)
        directed = projection * cosine.clamp(min=_LEAST_COSINE)
        return torch.where(self.is_block, directed, product)

    def values(self, activations: Tensor) -> Tensor:
        """What is told, (n,): the pre-activation, or the cosine."""
        product, _, cosine = self._measure(activations)
        return torch.where(self.is_block, cosine, product)

    def _measure(self, activations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        centered = activations.double() - self.centers
        product = (centered * self.weights).sum(dim=1) + self.offsets
        projection = product / self.weights.norm(dim=1)
        # no square root of 0, which has no gradient
        return product, projection, projection / (centered.square().sum(dim=1) + _TINY).sqrt()


def targets_of(
    crosscoder: GroupCrosscoder,
    features: NDArray[np.int64],
    elements: NDArray[np.int64],
    n_controls: int,
    rng: np.random.Generator,
) -> Targets:
    """Targets of features, row by row, and below them those of controls.

    A control is a mixture of all atoms, encoder and blocks alike, with normal weights: a direction
    with the second moments of the real ones, which moves with the group as well as they do.

    Raises
    ------
    ValueError
        If a block of a feature is zero: it has no direction.
    """
    order, n_channels = crosscoder.group_.order, crosscoder.n_channels_
    atoms = crosscoder.components_.reshape(-1, order, n_channels)
    silent = [f for f in features if not np.abs(atoms[f][elements]).max(axis=1).all()]
    silent += [f for f in features if not crosscoder.encoder_[f].any()]
    if silent:
        raise ValueError(
            f"Feature {silent[0]} has weights that are all zero: nothing excites it. Leave it out."
        )
    rows = np.zeros((len(features), len(atoms)))
    rows[np.arange(len(features)), features] = 1.0
    mixtures = rng.standard_normal((n_controls, len(atoms))) / np.sqrt(len(atoms))
    mixing = np.concatenate([rows, mixtures])
    encoders = mixing @ crosscoder.encoder_.astype(np.float64)
    offsets = mixing @ crosscoder.encoder_intercept_.astype(np.float64)
    blocks = np.einsum("nm,mgc->ngc", mixing, atoms[:, elements].astype(np.float64))
    biases = crosscoder.intercept_.reshape(order, n_channels)[elements].astype(np.float64)
    n_rows, n_columns = len(mixing), 1 + len(elements)
    weights = np.concatenate([encoders[:, None], blocks], axis=1)
    centers = np.concatenate([np.zeros((1, n_channels)), biases])
    is_block = np.arange(n_columns) > 0
    return Targets(
        torch.from_numpy(weights.reshape(-1, n_channels)),
        torch.from_numpy(np.tile(centers, (n_rows, 1))),
        torch.from_numpy(np.where(is_block, 0.0, offsets[:, None]).ravel()),
        torch.from_numpy(np.tile(is_block, n_rows)),
    )
