"""``"data"``: every process has all atoms, and some of the samples of every step."""

from __future__ import annotations

from dataclasses import replace

import torch

from .._batches import Batch, Samples, StepOutcome
from .._parallelism import gradients_of
from .._parameters import Parameters
from ._together import Together


class DataParallel(Together):
    """Gradients of the samples of each process are averaged.

    A step is that of one process with all of the samples, to rounding: losses, gradients and
    counters are sums over samples. With ``"batch_topk"`` alone it is not: each process keeps as
    many codes a sample, the largest of its own samples.
    """

    def check_batches(self, n: int) -> None:
        if n < self.processes.size:
            raise ValueError(
                f"Steps of {n} samples cannot be divided among {self.processes.size} processes: "
                "raise batch_size, or start fewer."
            )

    def part(self, batch: Batch) -> Batch:
        n, rank, size = len(batch.rows), self.processes.rank, self.processes.size
        rows = batch.rows[n * rank // size : n * (rank + 1) // size]
        return replace(batch, rows=rows, share=len(rows) / n)

    def whole(self, samples: Samples) -> Samples:
        targets = self.processes.concatenate(samples.targets)
        if samples.inputs is samples.targets:
            return Samples(targets, targets)
        return Samples(self.processes.concatenate(samples.inputs), targets)

    def combine(self, parameters: Parameters, outcome: StepOutcome, share: float) -> StepOutcome:
        means = torch.stack([outcome.loss, outcome.squared_error, outcome.price]).double()
        sums = torch.cat([means * share, outcome.n_active[None].double(), outcome.fires.double()])
        smallest = outcome.smallest.clone()
        gradients = gradients_of(parameters)
        for gradient in gradients:
            gradient.mul_(share)
        # first what is small: whoever is missing is missed before anything large is sent
        self.processes.sum_(sums)
        self.processes.least_(smallest)
        self.processes.sum_(*gradients)
        loss, squared_error, price = sums[:3].float()
        n_active, fires = sums[3].to(outcome.n_active.dtype), sums[4:] > 0
        return StepOutcome(loss, squared_error, price, n_active, fires, smallest)

    def sum_over_samples(self, *numbers: float) -> list[float]:
        return self._sum(*numbers)

    def align(self, parameters: Parameters) -> None:
        for tensor in parameters.tensors():
            self.processes.share_(tensor.detach())
