"""Which pre-activations are kept: the largest, or those above a threshold."""

from __future__ import annotations

import torch
from torch import Tensor


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


def kept_largest(preactivations: Tensor, k: int, *, of_batch: bool) -> Tensor:
    """Codes (n, m): the `largest` where they stand, zero elsewhere."""
    kept, places = largest(preactivations, k, of_batch=of_batch)
    zeros = torch.zeros_like(preactivations).flatten()
    return zeros.scatter(0, places, kept).reshape(preactivations.shape)


def above(preactivations: Tensor, threshold: Tensor | float) -> Tensor:
    """Keep what exceeds a threshold; 0 makes this the ReLU."""
    return torch.where(preactivations > threshold, preactivations, 0.0)
