"""A step of training with all atoms."""

from __future__ import annotations

import torch
from torch import Tensor

from ._activations._largest import Largest
from ._active import _gathering
from ._batches import Samples, StepOutcome
from ._objective import auxk_loss
from ._options import TrainingOptions
from ._parallelism import ALONE, Parallelism
from ._parameters import Parameters


def dense_step(
    parameters: Parameters,
    options: TrainingOptions,
    samples: Samples,
    l1: float,
    dead: Tensor | None,
    parallel: Parallelism = ALONE,
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
        Atoms that AuxK lets explain what is left over; None if no process has any.
    parallel : Parallelism, optional
        Who has other atoms.
    """
    rule, values = options.rule, parameters.preactivations(samples.inputs)
    price = None
    if parallel.splits_atoms:
        codes, gates = rule.codes(values, parameters)
        codes = parallel.kept(codes, options)
        own = codes.to(options.matmul_dtype) @ parameters.decoder.to(options.matmul_dtype)
        reconstruction = parallel.total(own.float()) + parameters.flat_bias()
        price = rule.price(codes, gates, parameters, l1)
    elif isinstance(rule, Largest) and _gathering.is_faster_gathered(parameters, rule, options):
        codes, reconstruction = _gathering.gathered(values, parameters, rule, options.matmul_dtype)
    else:
        codes, gates = rule.codes(values, parameters)
        reconstruction = parameters.reconstruct(codes, options.matmul_dtype)
        price = rule.price(codes, gates, parameters, l1)
    error = samples.targets - reconstruction
    squared_error = error.square().sum() / len(samples)
    loss = squared_error / options.width
    if price is not None:
        loss = loss + price
    if dead is not None:
        dead_values, dead_atoms = values[:, dead], parameters.decoder[dead]
        loss = loss + auxk_loss(dead_values, error, dead_atoms, options, parallel)
    for tensor in parameters.tensors():
        tensor.grad = None
    loss.backward()
    codes = codes.detach()
    positive = codes > 0
    return StepOutcome(
        loss=loss.detach(),
        squared_error=squared_error.detach(),
        price=torch.zeros_like(squared_error) if price is None else price.detach(),
        n_active=positive.sum(),
        fires=positive.any(0),
        smallest=torch.where(positive, codes, torch.inf).amin(),
    )
