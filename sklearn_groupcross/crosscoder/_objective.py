"""What training minimizes, beside the squared error and the price that an activation asks."""

from __future__ import annotations

import torch
from torch import Tensor

from ._options import TrainingOptions
from ._parallelism import ALONE, Parallelism

# Weight of the auxiliary loss, which is normalized by the error that it explains (Gao et al. 2024,
# "Scaling and evaluating sparse autoencoders", arXiv:2406.04093, appendix A.2).
_AUX_WEIGHT = 1 / 32


def auxk_loss(
    values: Tensor,
    error: Tensor,
    decoder: Tensor,
    options: TrainingOptions,
    parallel: Parallelism = ALONE,
) -> Tensor:
    """How badly the dead atoms explain what the living ones leave over.

    Parameters
    ----------
    values : Tensor of shape (n, n_dead)
        Pre-activations of the dead atoms; over all processes at least one.
    error : Tensor of shape (n, w)
        Orbits less their reconstruction; nothing is learned through it.
    decoder : Tensor of shape (n_dead, w)
        The dead atoms.
    options : TrainingOptions
    parallel : Parallelism, optional
        Who has other dead atoms.

    Returns
    -------
    loss : Tensor, scalar
        A share of the error's mean square, in the units of the main loss.
    """
    error = error.detach()
    _, n_dead = parallel.dead_before(values.shape[1])
    n_used = min(max(1, options.n_channels // 2), n_dead)
    # No ReLU: dead atoms are mostly negative, where it would give them no gradient.
    strongest, chosen = values.topk(min(n_used, values.shape[1]), dim=1)
    strongest = parallel.keep_largest(strongest, n_used)
    codes = torch.zeros_like(values).scatter(1, chosen, strongest)
    # no bias: the error has no mean to speak of, since the decoder's bias has taken it already
    explained = codes.to(options.matmul_dtype) @ decoder.to(options.matmul_dtype)
    squares = (error - parallel.total(explained.float())).square()
    # sample by sample, so that the order of sums does not depend on the number of threads
    squared_error = squares.sum(1).sum() / len(error)
    return _AUX_WEIGHT * squared_error / options.width
