"""What one step finds out: gradients, and what is remembered of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from . import _gathering
from ._batches import Samples
from ._objective import preactivations, price_of, reconstruct, sparse_codes
from ._options import TrainingOptions
from ._parameters import Parameters
from ._revival import auxk_loss


@dataclass(frozen=True)
class StepOutcome:
    """What a step found, beside the gradients that it left at the parameters.

    Attributes
    ----------
    loss : Tensor, scalar
    squared_error : Tensor, scalar
        Mean over samples of the squared error of the reconstruction.
    n_active : Tensor, scalar
        Active codes of all samples together.
    fires : Tensor of shape (m,), bool
        Atoms with an active code.
    smallest : Tensor, scalar
        Smallest active code; infinite if there is none.
    """

    loss: Tensor
    squared_error: Tensor
    n_active: Tensor
    fires: Tensor
    smallest: Tensor


def dense_step(
    parameters: Parameters,
    options: TrainingOptions,
    samples: Samples,
    l1: float,
    dead: Tensor | None,
) -> StepOutcome:
    """Leave the gradients of the objective at the parameters, with autograd.

    Products are with all atoms, but for the decoder's where a GPU gathers the active ones faster.

    Parameters
    ----------
    parameters : Parameters
        Their gradients are replaced.
    options : TrainingOptions
    samples : Samples
    l1 : float
        Penalty weight of this step.
    dead : Tensor of shape (n_dead,), int64, or None
        Atoms that AuxK lets explain what is left over.
    """
    values = preactivations(samples.inputs, parameters)
    price = None
    if _gathering.pays(parameters, options):
        codes, reconstruction = _gathering.gathered(values, parameters, options)
    else:
        codes, active = sparse_codes(values, parameters, options)
        reconstruction = reconstruct(codes, parameters, options.matmul_dtype)
        price = price_of(codes, active, parameters, options, l1)
    error = samples.targets - reconstruction
    squared_error = error.square().sum() / len(samples)
    loss = squared_error / options.width
    if price is not None:
        loss = loss + price
    if dead is not None and len(dead):
        loss = loss + auxk_loss(values[:, dead], error, parameters.decoder[dead], options)
    for tensor in parameters.tensors():
        tensor.grad = None
    loss.backward()
    codes = codes.detach()
    positive = codes > 0
    return StepOutcome(
        loss=loss.detach(),
        squared_error=squared_error.detach(),
        n_active=positive.sum(),
        fires=positive.any(0),
        smallest=torch.where(positive, codes, torch.inf).amin(),
    )
