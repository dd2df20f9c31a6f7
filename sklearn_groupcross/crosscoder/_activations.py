"""From pre-activations to sparse, non-negative codes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: Width of the kernel through which JumpReLU learns its thresholds, as a share of the threshold.
JUMPRELU_BANDWIDTH = 1.0


def largest(preactivations: Tensor, k: int, *, of_batch: bool) -> tuple[Tensor, Tensor]:
    """The k largest pre-activations of each sample, or n·k of all n samples; zero if negative.

    Returns
    -------
    kept : Tensor of shape (n·k,)
    places : Tensor of shape (n·k,), int64
        Of these in the flattened pre-activations, sample by sample.
    """
    n, m = preactivations.shape
    values = preactivations.detach()
    if of_batch:
        places = values.flatten().topk(n * k, sorted=False).indices.sort().values
    else:
        first = m * torch.arange(n, dtype=torch.int64, device=values.device)
        places = (values.topk(k, dim=1, sorted=False).indices + first[:, None]).flatten()
    return torch.relu(preactivations.flatten().gather(0, places)), places


def topk(preactivations: Tensor, k: int) -> Tensor:
    """Keep the k largest pre-activations of each sample, where they are positive."""
    return _spread(preactivations, *largest(preactivations, k, of_batch=False))


def batch_topk(preactivations: Tensor, k: int) -> Tensor:
    """Keep the n·k largest pre-activations of n samples together, where they are positive."""
    return _spread(preactivations, *largest(preactivations, k, of_batch=True))


def _spread(like: Tensor, kept: Tensor, places: Tensor) -> Tensor:
    return torch.zeros_like(like).flatten().scatter(0, places, kept).reshape(like.shape)


def above(preactivations: Tensor, threshold: Tensor | float) -> Tensor:
    """Keep what exceeds a threshold; 0 makes this the ReLU."""
    return torch.where(preactivations > threshold, preactivations, 0.0)


def jumprelu(preactivations: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """Keep what exceeds a threshold that is learned, one an atom.

    The jump has no gradient, so thresholds get a straight-through estimate from the samples near
    them (Rajamanoharan et al. 2024, arXiv:2407.14435, equations 11 and 12).

    Returns
    -------
    codes : Tensor of shape (n, m)
    gates : Tensor of shape (n, m)
        1 where a code is active; its gradient reaches the thresholds alone.
    """
    return _JumpReLU.apply(preactivations, threshold)


class _JumpReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, preactivations: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(preactivations, threshold)
        gates = (preactivations > threshold).to(preactivations.dtype)
        return above(preactivations, threshold), gates

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        codes_gradient, gates_gradient = gradients
        preactivations, threshold = ctx.saved_tensors
        bandwidth = JUMPRELU_BANDWIDTH * threshold
        near = (preactivations - threshold).abs() < bandwidth / 2
        pull = (threshold * codes_gradient + gates_gradient) * near
        active = preactivations > threshold
        return codes_gradient * active, -(pull / bandwidth).sum(0)
