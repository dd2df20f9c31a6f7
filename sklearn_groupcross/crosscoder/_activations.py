"""From pre-activations to sparse, non-negative codes."""

from __future__ import annotations

import torch
from torch import Tensor


def relu(preactivations: Tensor) -> Tensor:
    """The paper's: every positive pre-activation counts; sparsity comes from the L1 penalty."""
    return torch.relu(preactivations)


def topk(preactivations: Tensor, k: int) -> Tensor:
    """Keep the k largest pre-activations of each sample, where they are positive."""
    values, indices = preactivations.topk(k, dim=1)
    return torch.zeros_like(preactivations).scatter(1, indices, torch.relu(values))


def activate(preactivations: Tensor, k: int | None) -> Tensor:
    """Apply `topk`, or `relu` where there is no k."""
    return relu(preactivations) if k is None else topk(preactivations, k)
