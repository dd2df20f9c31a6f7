"""``"jumprelu"``: what exceeds a threshold that is learned, one an atom."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._parallel import Run
from ..._plain import as_tensor
from .._active._rough_encoders import RoughEncoder
from .._active._sparse_codes import SparseCodes
from .._parameters import Parameters
from .._selection import above
from ._activation import Activation, ActiveCodes, FittedThreshold, Price

# Width of the kernel through which thresholds are learned, as a share of the threshold.
BANDWIDTH = 1.0
_SMALLEST_THRESHOLD = 1e-3  # of an atom that is brought back, in the units of codes


class JumpReLU(Activation):
    """A sample pays ``(l1/2)² · Σ_i [f_i > 0]``.

    Dropping a feature that adds r to the root mean square of the reconstruction costs r², and L1
    drops it below r = l1/2; so one `l1` sets the same bar here and with a ReLU.
    """

    uses_l1 = True
    own_parameters = ("log_threshold",)
    threshold_ndim = 1

    def first_log_threshold(self, l1: float) -> Tensor:
        # the code of a feature whose part in the reconstruction is just worth its price l1
        unit = math.sqrt(self.width) / self.atom_norm
        price = math.log(max(l1, 1e-6) / 2 * unit)
        return torch.full((self.n_atoms,), price, dtype=torch.float32, device="cpu")

    def codes(self, values: Tensor, parameters: Parameters) -> tuple[Tensor, Tensor]:
        return jumprelu(values, _log_threshold(parameters).exp())

    def price(
        self, codes: Tensor, gates: Tensor | None, parameters: Parameters, l1: float
    ) -> Tensor | None:
        if l1 == 0:
            return None
        gates = (codes > 0).to(codes.dtype) if gates is None else gates
        return (l1 / 2) ** 2 * gates.sum(1).mean()

    def with_l1(self, parameters: Parameters, l1: float, former: float) -> Parameters:
        """Thresholds in proportion to the penalty."""
        if former == 0:
            return parameters
        raised = _log_threshold(parameters).detach() + math.log(l1 / former)
        return replace(parameters, log_threshold=raised)

    def worth(self, squared_error: Tensor, l1: float) -> Tensor:
        """See `Activation.worth`.

        An atom gains a sample no more than its whole error. Where one active code costs more, it
        should stay dead: its new threshold would be too low, and rises by the learning rate only.
        """
        return squared_error * (squared_error / self.width > (l1 / 2) ** 2)

    def resampled(self, own: Tensor) -> dict[str, Tensor]:
        # half of what the atom makes of its own sample: it fires there, and not at every noise
        return {"log_threshold": (own / 2).clamp_min(_SMALLEST_THRESHOLD).log()}

    def threshold(self, running: Tensor, parameters: Parameters) -> Tensor:
        return _log_threshold(parameters).detach().exp()

    def fitted_threshold(self, running: Tensor, parameters: Parameters) -> FittedThreshold:
        return self.threshold(running, parameters).cpu().numpy().copy()

    @classmethod
    def learned_log_threshold(cls, fitted: FittedThreshold) -> Tensor | None:
        return as_tensor(fitted).log() if isinstance(fitted, np.ndarray) else None

    def active_codes(
        self, inputs: Tensor, parameters: Parameters, rough: RoughEncoder | None, run: Run
    ) -> ActiveCodes:
        values, threshold = parameters.preactivations(inputs), _log_threshold(parameters).exp()
        codes = SparseCodes.above(values, threshold * (1 - BANDWIDTH / 2), run)
        reached = codes.data.copy()
        codes.data[reached <= threshold.numpy()[codes.indices]] = 0
        return ActiveCodes(codes, reached)

    def sparse_price(self, codes: SparseCodes, parameters: Parameters, l1: float) -> Price:
        return Price((l1 / 2) ** 2 / codes.shape[0] * int((codes.data > 0).sum()))

    def further_gradients(
        self,
        active: ActiveCodes,
        grad_codes: NDArray[np.floating],
        parameters: Parameters,
        l1: float,
    ) -> dict[str, Tensor]:
        codes = active.codes
        grad_gate = (l1 / 2) ** 2 / codes.shape[0]
        threshold = _log_threshold(parameters).exp().numpy()[codes.indices]
        near = np.abs(active.preactivations - threshold) < BANDWIDTH * threshold / 2
        pull = (threshold * grad_codes + np.float32(grad_gate)) * near
        return {"log_threshold": -codes.sums_by_atom(pull) / BANDWIDTH}


def _log_threshold(parameters: Parameters) -> Tensor:
    if parameters.log_threshold is None:
        raise ValueError("JumpReLU learns thresholds; these weights have none.")
    return parameters.log_threshold


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
        grad_codes, grad_gates = gradients
        preactivations, threshold = ctx.saved_tensors
        bandwidth = BANDWIDTH * threshold
        near = (preactivations - threshold).abs() < bandwidth / 2
        pull = (threshold * grad_codes + grad_gates) * near
        active = preactivations > threshold
        return grad_codes * active, -(pull / bandwidth).sum(0)
