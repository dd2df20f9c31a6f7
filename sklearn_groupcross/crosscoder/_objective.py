"""What training minimises."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ._parameters import Parameters


def preactivations(identity_block: Tensor, parameters: Parameters) -> Tensor:
    """``W_enc x̃₀ + b_enc`` of the untransformed block alone, of shape (n, m)."""
    return torch.addmm(parameters.encoder_bias, identity_block, parameters.encoder.T)


def reconstruct(codes: Tensor, parameters: Parameters, order: int) -> Tensor:
    """``Ô[g] = W_dec[g]ᵀ f + b_dec[g]`` for all blocks side by side, of shape (n, |G| d)."""
    return torch.addmm(parameters.flat_bias(order), codes, parameters.decoder)


def objective(
    orbits: Tensor, reconstruction: Tensor, codes: Tensor, decoder: Tensor, l1: float
) -> tuple[Tensor, Tensor]:
    """Loss and squared error of a batch, both means over the samples.

    ``(1/(|G| d)) Σ_g ‖O[g] − Ô[g]‖² + l1 · Σ_i f_i ‖W_dec[i]‖ / √(|G| d)``: the paper's objective
    (Gorton 2024), with two factors that let one `l1` mean about the same for every
    group and width.

    Parameters
    ----------
    orbits, reconstruction : Tensor of shape (n, |G| d)
        Scaled data.
    codes : Tensor of shape (n, m)
    decoder : Tensor of shape (m, |G| d)
    l1 : float

    Returns
    -------
    loss : Tensor, scalar
    squared_error : Tensor, scalar
        ``Σ_g ‖O[g] − Ô[g]‖²``, without factor.
    """
    width = orbits.shape[1]
    squared_error = (orbits - reconstruction).square().sum() / len(orbits)
    loss = squared_error / width
    if l1 > 0:
        # weighted by the atoms' norms: otherwise L1 shrinks codes by growing the decoder
        penalty = (codes.mean(0) @ decoder.norm(dim=1)) / math.sqrt(width)
        loss = loss + l1 * penalty
    return loss, squared_error
