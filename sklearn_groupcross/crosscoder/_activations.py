"""From pre-activations to sparse, non-negative codes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: Width of the kernel through which JumpReLU learns its thresholds, as a share of the threshold.
JUMPRELU_BANDWIDTH = 1.0


def topk(preactivations: Tensor, k: int) -> Tensor:
    """Keep the k largest pre-activations of each sample, where they are positive."""
    values, indices = preactivations.topk(k, dim=1)
    return torch.zeros_like(preactivations).scatter(1, indices, torch.relu(values))


def batch_topk(preactivations: Tensor, k: int) -> Tensor:
    """Keep the n·k largest pre-activations of n samples together, where they are positive."""
    n_kept = k * len(preactivations)
    values, indices = preactivations.flatten().topk(n_kept, sorted=False)
    kept = torch.zeros_like(preactivations).flatten().scatter(0, indices, torch.relu(values))
    return kept.reshape(preactivations.shape)


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
