"""``"topk"`` and ``"batch_topk"``: the largest pre-activations, where they are positive."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._parallel import Run, sharing
from .._active._rough_encoders import RoughEncoder
from .._active._screening import largest_codes
from .._parameters import Parameters
from .._selection import kept_largest
from ._activation import Activation, ActiveCodes, Calibration, FittedThreshold

# BatchTopK's threshold at inference averages the smallest kept code over about 100 batches.
_THRESHOLD_MEMORY = 0.99
# It is looked for within a factor of e^6 of its running mean, to 0.1 %.
_CALIBRATED_RANGE, _CALIBRATION_BINS = 6.0, 12_001


class Largest(Activation):
    """As many codes of every batch are kept: k of each sample, or as many of all together."""

    uses_k = True
    revival = "auxk"
    #: Whether they are chosen from all samples of a batch together.
    of_batch: ClassVar[bool]

    def __init__(self, n_atoms: int, width: int, k: int | None = None) -> None:
        super().__init__(n_atoms, width, k)
        self.k = int(k or 0)

    @property
    def expected_share(self) -> float:
        return self.k / self.n_atoms

    def codes(self, values: Tensor, parameters: Parameters) -> tuple[Tensor, None]:
        return kept_largest(values, self.k, of_batch=self.of_batch), None

    def rough_encoder(self, parameters: Parameters) -> RoughEncoder | None:
        return RoughEncoder.of(parameters, self.k)

    def active_codes(
        self, inputs: Tensor, parameters: Parameters, rough: RoughEncoder | None, run: Run
    ) -> ActiveCodes:
        codes = largest_codes(inputs, rough, parameters, self.k, run, of_batch=self.of_batch)
        return ActiveCodes(codes, codes.data)


class TopK(Largest):
    """The k largest of each sample, at inference as in training."""

    of_batch = False
    threshold_ndim = None

    def infer(
        self,
        inputs: Tensor,
        parameters: Parameters,
        threshold: Tensor,
        rough: RoughEncoder | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        if inputs.device.type != "cpu":
            codes = kept_largest(parameters.preactivations(inputs), self.k, of_batch=False)
            return codes if out is None else out.copy_(codes)
        out = inputs.new_zeros(len(inputs), self.n_atoms) if out is None else out
        with sharing() as run:
            largest_codes(inputs, rough, parameters, self.k, run, of_batch=False).write_into(
                out, run
            )
        return out

    def fitted_threshold(self, running: Tensor, parameters: Parameters) -> None:
        return None

    @classmethod
    def threshold_array(cls, fitted: FittedThreshold) -> NDArray[np.floating]:
        return np.zeros(())


class BatchTopK(Largest):
    """The n·k largest of n samples; at inference those above a threshold learned meanwhile."""

    of_batch = True

    def follow(self, running: Tensor, smallest: Tensor) -> Tensor:
        smallest = torch.where(smallest.isinf(), 0.0, smallest)
        averaged = torch.lerp(smallest, running, _THRESHOLD_MEMORY)
        return torch.where(running < 0, smallest, averaged)

    def threshold(self, running: Tensor, parameters: Parameters) -> Tensor:
        return running.clamp_min(0.0)

    def calibration(self, running: Tensor) -> Calibration:
        return _Count(running, self.k)


class _Count(Calibration):
    """Threshold that k codes of a sample exceed on average.

    The running mean of the smallest codes kept lags behind the weights and knows transformed
    samples as well; this counts on the data as they are.
    """

    def __init__(self, running: Tensor, k: int) -> None:
        edges = torch.linspace(
            -_CALIBRATED_RANGE,
            _CALIBRATED_RANGE,
            _CALIBRATION_BINS,
            dtype=torch.float32,
            device="cpu",
        ).exp()
        self._edges = edges.to(running.device) * running.clamp_min(1e-6)
        self._n_above = torch.zeros(len(edges) + 1, dtype=torch.int64, device=running.device)
        self._n_allowed, self._k = 0, k

    def add(self, values: Tensor) -> None:
        bins = torch.bucketize(values.flatten(), self._edges)
        self._n_above += torch.bincount(bins, minlength=len(self._n_above))
        self._n_allowed += self._k * len(values)

    def threshold(self) -> Tensor:
        # codes above each edge: those in the bins to its right
        exceeding = self._n_above.flip(0).cumsum(0).flip(0)[1:]
        allowed = exceeding <= self._n_allowed
        # nothing to cut off where all positive codes together are fewer
        lowest = self._edges[allowed.int().argmax()]
        return torch.where(allowed[0], torch.zeros_like(lowest), lowest)
