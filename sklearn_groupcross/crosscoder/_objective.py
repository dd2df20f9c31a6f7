"""What training minimises."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ._activations import above, batch_topk, jumprelu, topk
from ._options import TrainingOptions
from ._parameters import Parameters


def preactivations(inputs: Tensor, parameters: Parameters, out: Tensor | None = None) -> Tensor:
    """``W_enc x + b_enc`` of the blocks that the encoder reads, of shape (n, m)."""
    return torch.addmm(parameters.encoder_bias, inputs, parameters.encoder.T, out=out)


def reconstruct(codes: Tensor, parameters: Parameters, dtype: torch.dtype | None = None) -> Tensor:
    """``Ô[g] = W_dec[g]ᵀ f + b_dec[g]`` for all blocks side by side, of shape (n, w).

    With a `dtype` the product is computed in it; the bias is added in its own.
    """
    if dtype is None or dtype == codes.dtype:
        return torch.addmm(parameters.flat_bias(), codes, parameters.decoder)
    return codes.to(dtype) @ parameters.decoder.to(dtype) + parameters.flat_bias()


def sparse_codes(
    values: Tensor, parameters: Parameters, options: TrainingOptions
) -> tuple[Tensor, Tensor | None]:
    """Codes of pre-activations while training.

    Returns
    -------
    codes : Tensor of shape (n, m)
    active : Tensor of shape (n, m) or None
        For JumpReLU, 1 where a code is active; its gradient reaches the thresholds.
    """
    if options.activation == "topk":
        assert options.k is not None
        return topk(values, options.k), None
    if options.activation == "batch_topk":
        assert options.k is not None
        return batch_topk(values, options.k), None
    if options.activation == "jumprelu":
        assert parameters.log_threshold is not None
        return jumprelu(values, parameters.log_threshold.exp())
    return above(values, 0.0), None


def price_of(
    codes: Tensor,
    active: Tensor | None,
    parameters: Parameters,
    options: TrainingOptions,
    l1: float,
) -> Tensor | None:
    """Price of codes in the loss, the mean over samples; None if there is none.

    For ReLU a sample pays ``l1 · Σ_i f_i ‖W_dec[i]‖ / √(|G| d)`` (Gorton 2024, with the factor that
    lets one `l1` mean about the same for every group and width). For JumpReLU it pays
    ``(l1/2)² · Σ_i [f_i > 0]``: dropping a feature that adds r to the root mean square of the
    reconstruction costs r², and L1 drops it below r = l1/2; so with either activation one `l1` sets
    the same bar. TopK and BatchTopK have no price.

    Parameters
    ----------
    codes : Tensor of shape (n, m)
    active : Tensor of shape (n, m) or None
        What is counted for JumpReLU.
    """
    if l1 == 0:
        return None
    if options.activation == "relu":
        # weighted by the atoms' norms: otherwise L1 shrinks codes by growing the decoder
        return l1 * (codes.mean(0) @ atom_weights(parameters.decoder, options))
    if options.activation == "jumprelu":
        assert active is not None
        return (l1 / 2) ** 2 * active.sum(1).mean()
    return None


def atom_weights(decoder: Tensor, options: TrainingOptions) -> Tensor:
    """Weight of each atom's code in the L1 penalty, of shape (m,).

    ``"joint"`` is ``‖W_dec[i]‖ / √(|G| d)``, ``"blockwise"`` is the mean over g of
    ``‖W_dec[i][g]‖ / √d``. They agree for atoms whose blocks have equal norms; others pay less
    blockwise, so it favours atoms that live in few blocks.
    """
    if options.l1_weight == "joint":
        return decoder.norm(dim=1) / math.sqrt(options.width)
    blocks = decoder.reshape(len(decoder), options.group.order, options.n_channels)
    return blocks.norm(dim=2).mean(1) / math.sqrt(options.n_channels)
