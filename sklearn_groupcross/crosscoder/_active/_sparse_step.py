"""A training step on the CPU at the cost of the active codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..._parallel import Run, sharing
from .._batches import Samples, StepOutcome
from .._objective import auxk_loss
from .._options import TrainingOptions
from .._parallelism import ALONE, Parallelism
from .._parameters import Parameters
from ._sparse_codes import SparseCodes, Tiles, decode, squared_error, transposed_product


class SparseStep:
    """Gradients of the objective from the active codes alone, without autograd.

    They are those of `dense_step`, to rounding. Memory is used again in every step: of the size of
    the decoder, of a batch, of a tile of each, and of rough codes.

    Parameters
    ----------
    parameters : Parameters
        On the CPU. Their gradients are replaced in every step.
    options : TrainingOptions
    parallel : Parallelism, optional
        Who has other atoms.
    """

    def __init__(
        self, parameters: Parameters, options: TrainingOptions, parallel: Parallelism = ALONE
    ) -> None:
        self._parallel = parallel
        # what is left to dense products, of dead atoms, is float32 as well
        self._parameters, self._options = parameters, replace(options, precision="float32")
        self._rough = options.rule.rough_encoder(parameters)
        self._tiles = Tiles()
        self._grad_decoder = torch.empty_like(parameters.decoder, requires_grad=False)
        self._error = torch.empty(0, dtype=torch.float32, device="cpu")

    @torch.no_grad()
    def __call__(self, samples: Samples, l1: float, dead: Tensor | None) -> StepOutcome:
        """See `dense_step`."""
        parameters, rule, n = self._parameters, self._options.rule, len(samples)
        targets = samples.targets
        with sharing() as run:
            if self._rough is not None:
                self._rough.refresh(run)
            found = rule.active_codes(samples.inputs, parameters, self._rough, run)
            codes = found.codes
            if self._parallel.splits_atoms:
                targets = self._left_by_others(codes, targets, run)
            active = codes.data > 0
            price = rule.sparse_price(codes, parameters, l1)
            error = squared_error(
                codes,
                parameters.decoder.detach(),
                parameters.flat_bias(),
                targets,
                2 / (n * self._options.width),
                self._tiles,
                run,
                grad_decoder=self._grad_decoder,
                shrinkage=price.shrinkage,
                error=None if dead is None else self._room_for_error(targets),
            )
            grad_codes = error.grad_codes
            if price.grad_codes is not None:
                grad_codes += price.grad_codes.numpy()[codes.indices]
            grad_values = rule.grad_values(found, grad_codes)
            parameters.encoder_bias.grad = codes.sums_by_atom(grad_values)
            parameters.encoder.grad = transposed_product(
                codes, grad_values, samples.inputs, self._tiles, run
            )
        parameters.decoder.grad = self._grad_decoder
        n_rows = len(parameters.decoder_bias)
        grad_bias = error.grad_bias.reshape(-1, parameters.decoder_bias.shape[1])
        parameters.decoder_bias.grad = grad_bias.sum(0, keepdim=True) if n_rows == 1 else grad_bias
        for name, gradient in rule.further_gradients(found, grad_codes, parameters, l1).items():
            tensor = parameters.named()[name]
            if name in rule.own_parameters or tensor.grad is None:
                tensor.grad = gradient
            else:
                tensor.grad += gradient
        loss = error.total / (n * self._options.width) + price.value
        if dead is not None:
            loss += self._revive(samples.inputs, dead)
        return StepOutcome(
            loss=_number(loss),
            squared_error=_number(error.total / n),
            price=_number(price.value),
            n_active=_number(int(active.sum()), torch.int64),
            fires=codes.sums_by_atom(active.astype(np.float32)) > 0,
            smallest=_number(float(codes.data.min(where=active, initial=np.inf))),
        )

    def _left_by_others(self, codes: SparseCodes, targets: Tensor, run: Run) -> Tensor:
        """Targets less what the atoms of others reconstruct, once all have agreed on the codes."""
        found = torch.from_numpy(codes.data)
        if self._options.rule.uses_k:
            rows = found.reshape(codes.shape[0], -1)
            rows.copy_(self._parallel.kept(rows, self._options))
        no_bias = targets.new_zeros(targets.shape[1])
        own = decode(codes, self._parameters.decoder.detach(), no_bias, run)
        return targets - (self._parallel.total(own) - own)

    def _room_for_error(self, targets: Tensor) -> Tensor:
        if self._error.shape != targets.shape:
            self._error = torch.empty_like(targets)
        return self._error

    def _revive(self, inputs: Tensor, dead: Tensor) -> float:
        """Add the gradients of AuxK, and return the loss."""
        loss, gradients = revival(
            self._parameters, self._options, inputs, self._error, dead, self._parallel
        )
        for name, gradient in gradients.items():
            whole = self._parameters.named()[name].grad
            assert whole is not None
            whole.index_add_(0, dead, gradient)
        return float(loss)


def revival(
    parameters: Parameters,
    options: TrainingOptions,
    inputs: Tensor,
    error: Tensor,
    dead: Tensor,
    parallel: Parallelism = ALONE,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of AuxK, and its gradients by rows of parameters: those of dead atoms have any."""
    names = ("encoder", "encoder_bias", "decoder")
    rows = {name: parameters.named()[name].detach()[dead].requires_grad_() for name in names}
    with torch.enable_grad():
        values = torch.addmm(rows["encoder_bias"], inputs, rows["encoder"].T)
        loss = auxk_loss(values, error, rows["decoder"], options, parallel)
        gradients = torch.autograd.grad(loss, list(rows.values()))
    return loss.detach(), dict(zip(names, gradients, strict=True))


def _number(value: float, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(value, dtype=dtype, device="cpu")
