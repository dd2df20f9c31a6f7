"""A training step on the CPU at the cost of the active codes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._activations import JUMPRELU_BANDWIDTH
from ._batches import Samples
from ._objective import atom_weights, preactivations
from ._options import TrainingOptions
from ._parallel import Run, sharing
from ._parameters import Parameters
from ._revival import auxk_loss
from ._screening import RoughEncoder, largest_codes
from ._sparse_codes import SparseCodes, Tiles, squared_error, transposed_product
from ._step import StepOutcome


class SparseStep:
    """Gradients of the objective from the active codes alone, without autograd.

    They are those of `dense_step`, to rounding. Memory is used again in every step: of the size of
    the decoder, of a batch, of a tile of each, and of rough codes.

    Parameters
    ----------
    parameters : Parameters
        On the CPU. Their gradients are replaced in every step.
    options : TrainingOptions
    """

    def __init__(self, parameters: Parameters, options: TrainingOptions) -> None:
        # what is left to dense products, of dead atoms, is float32 as well
        self._parameters, self._options = parameters, replace(options, precision="float32")
        self._rough = None if options.k is None else RoughEncoder.of(parameters, options.k)
        self._tiles = Tiles()
        self._of_decoder = torch.empty_like(parameters.decoder, requires_grad=False)
        self._error = torch.empty(0, dtype=torch.float32, device="cpu")

    @torch.no_grad()
    def __call__(self, samples: Samples, l1: float, dead: Tensor | None) -> StepOutcome:
        """See `dense_step`."""
        parameters, n = self._parameters, len(samples)
        revives = dead is not None and len(dead) > 0
        with sharing() as run:
            codes, reached = self._codes(samples.inputs, run)
            active = codes.values > 0
            price, of_code, shrinkage = self._l1_price(codes, l1)
            found = squared_error(
                codes,
                parameters.decoder.detach(),
                parameters.flat_bias(),
                samples.targets,
                2 / (n * self._options.width),
                self._tiles,
                run,
                of_decoder=self._of_decoder,
                shrinkage=shrinkage,
                error=self._room_for_error(samples.targets) if revives else None,
            )
            of_codes = found.of_codes
            if of_code is not None:
                of_codes += of_code.numpy()[codes.columns]
            if parameters.log_threshold is not None:
                gate = (l1 / 2) ** 2 / n
                price = gate * int(active.sum())
                parameters.log_threshold.grad = self._of_log_threshold(
                    codes, reached, of_codes, gate
                )
            of_values = of_codes * active
            parameters.encoder_bias.grad = codes.sums_by_atom(of_values)
            parameters.encoder.grad = transposed_product(
                codes, of_values, samples.inputs, self._tiles, run
            )
        parameters.decoder.grad = self._of_decoder
        self._add_blockwise_shrinkage(codes, l1)
        n_rows = len(parameters.decoder_bias)
        of_bias = found.of_bias.reshape(-1, parameters.decoder_bias.shape[1])
        parameters.decoder_bias.grad = of_bias.sum(0, keepdim=True) if n_rows == 1 else of_bias
        loss = found.total / (n * self._options.width) + price
        if revives:
            assert dead is not None
            loss += self._revive(samples.inputs, dead)
        return StepOutcome(
            loss=_number(loss),
            squared_error=_number(found.total / n),
            n_active=_number(int(active.sum()), torch.int64),
            fires=codes.sums_by_atom(active.astype(np.float32)) > 0,
            smallest=_number(float(codes.values.min(where=active, initial=np.inf))),
        )

    def _codes(self, inputs: Tensor, run: Run) -> tuple[SparseCodes, NDArray[np.floating]]:
        """Codes that have a gradient, and their pre-activations; those not active are zero."""
        parameters, options = self._parameters, self._options
        if options.k is not None:
            if self._rough is not None:
                self._rough.refresh(run)
            of_batch = options.activation == "batch_topk"
            codes = largest_codes(
                inputs, self._rough, parameters, options.k, run, of_batch=of_batch
            )
            return codes, codes.values
        values = preactivations(inputs, parameters)
        if parameters.log_threshold is None:
            codes = SparseCodes.above(values, values.new_zeros(options.n_atoms), run)
            return codes, codes.values
        threshold = parameters.log_threshold.exp()
        codes = SparseCodes.above(values, threshold * (1 - JUMPRELU_BANDWIDTH / 2), run)
        reached = codes.values.copy()
        codes.values[reached <= threshold.numpy()[codes.columns]] = 0
        return codes, reached

    def _l1_price(
        self, codes: SparseCodes, l1: float
    ) -> tuple[float, Tensor | None, Tensor | None]:
        """L1 penalty, its gradient by a code of each atom, and what it multiplies atoms by."""
        options, decoder = self._options, self._parameters.decoder
        if options.activation != "relu" or l1 == 0:
            return 0.0, None, None
        weights = atom_weights(decoder, options)
        means = codes.sums_by_atom(codes.values) / codes.shape[0]
        price = l1 * float(means @ weights)
        of_code = weights * (l1 / codes.shape[0])
        if options.l1_weight != "joint":  # blocks are multiplied by factors of their own
            return price, of_code, None
        pull = l1 * means / options.width
        return price, of_code, torch.where(weights > 0, pull / weights, 0.0)

    def _add_blockwise_shrinkage(self, codes: SparseCodes, l1: float) -> None:
        options, decoder = self._options, self._parameters.decoder
        if options.activation != "relu" or l1 == 0 or options.l1_weight == "joint":
            return
        means = codes.sums_by_atom(codes.values) / codes.shape[0]
        shape = len(decoder), options.group.order, options.n_channels
        blocks = decoder.reshape(shape)
        norms = blocks.norm(dim=2, keepdim=True)
        pull = means[:, None, None] * (l1 / (options.group.order * math.sqrt(options.n_channels)))
        self._of_decoder.view(shape).addcmul_(blocks, torch.where(norms > 0, pull / norms, 0.0))

    def _of_log_threshold(
        self,
        codes: SparseCodes,
        reached: NDArray[np.floating],
        of_codes: NDArray[np.floating],
        of_gate: float,
    ) -> Tensor:
        """Straight-through gradient of JumpReLU's thresholds; see `jumprelu`."""
        assert self._parameters.log_threshold is not None
        threshold = self._parameters.log_threshold.exp().numpy()[codes.columns]
        near = np.abs(reached - threshold) < JUMPRELU_BANDWIDTH * threshold / 2
        pull = (threshold * of_codes + np.float32(of_gate)) * near
        return -codes.sums_by_atom(pull) / JUMPRELU_BANDWIDTH

    def _room_for_error(self, targets: Tensor) -> Tensor:
        if self._error.shape != targets.shape:
            self._error = torch.empty_like(targets)
        return self._error

    def _revive(self, inputs: Tensor, dead: Tensor) -> float:
        """Add the gradients of AuxK, of which dead atoms alone have any, and return the loss."""
        parameters = self._parameters
        names = ("encoder", "encoder_bias", "decoder")
        its = {name: parameters.named()[name].detach()[dead].requires_grad_() for name in names}
        with torch.enable_grad():
            values = torch.addmm(its["encoder_bias"], inputs, its["encoder"].T)
            loss = auxk_loss(values, self._error, its["decoder"], self._options)
            gradients = torch.autograd.grad(loss, list(its.values()))
        for name, gradient in zip(names, gradients, strict=True):
            whole = parameters.named()[name].grad
            assert whole is not None
            whole.index_add_(0, dead, gradient)
        return float(loss)


def _number(value: float, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(value, dtype=dtype, device="cpu")
