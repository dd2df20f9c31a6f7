"""``"relu"``: whatever is positive, for an L1 penalty."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..._parallel import Run
from .._active._rough_encoders import RoughEncoder
from .._active._sparse_codes import SparseCodes
from .._parameters import Parameters
from .._selection import above
from ._activation import Activation, ActiveCodes, Price


class ReLU(Activation):
    """A sample pays ``l1 · Σ_i f_i ‖W_dec[i]‖ / √(|G| d)``.

    That is the penalty of Gorton 2024, with the factor that lets one `l1` mean about the same for
    every group and width. Codes are weighted by the norms of their atoms: otherwise L1 shrinks
    codes by growing the decoder.
    """

    uses_l1 = True
    atom_norm = 0.1  # small atoms let L1 choose among them before they are committed

    def codes(self, values: Tensor, parameters: Parameters) -> tuple[Tensor, None]:
        return above(values, 0.0), None

    def price(
        self, codes: Tensor, gates: Tensor | None, parameters: Parameters, l1: float
    ) -> Tensor | None:
        return None if l1 == 0 else l1 * (codes.mean(0) @ self._weights(parameters.decoder))

    def active_codes(
        self, inputs: Tensor, parameters: Parameters, rough: RoughEncoder | None, run: Run
    ) -> ActiveCodes:
        values = parameters.preactivations(inputs)
        codes = SparseCodes.above(values, values.new_zeros(self.n_atoms), run)
        return ActiveCodes(codes, codes.data)

    def sparse_price(self, codes: SparseCodes, parameters: Parameters, l1: float) -> Price:
        if l1 == 0:
            return Price()
        weights = self._weights(parameters.decoder)
        means = codes.sums_by_atom(codes.data) / codes.shape[0]
        grad_norms = l1 * means / self.width
        return Price(
            l1 * float(means @ weights),
            weights * (l1 / codes.shape[0]),
            torch.where(weights > 0, grad_norms / weights, 0.0),
        )

    def _weights(self, decoder: Tensor) -> Tensor:
        """Weight of each atom's code in the penalty, of shape (m,)."""
        return decoder.norm(dim=1) / math.sqrt(self.width)
