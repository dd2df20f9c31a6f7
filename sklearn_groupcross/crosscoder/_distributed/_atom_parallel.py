"""``"atoms"``: every process has all samples, and some of the atoms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .._activations._largest import Largest
from .._batches import StepOutcome
from .._options import TrainingOptions
from .._parallelism import gradients_of
from .._parameters import BY_ATOM, Parameters
from ._processes import Processes
from ._together import Together

# Of the state of a run, beside parameters and what the optimiser and early stopping keep of them.
_COUNTERS = ("idle", "fired")


class AtomParallel(Together):
    """Reconstructions from the atoms of each process are added up.

    For dictionaries that one device cannot hold, with what the optimiser keeps of them. A step is
    that of one process with all of the atoms, to rounding; among codes that are equal, where k are
    kept, all are.
    """

    splits_atoms = True

    def __init__(self, processes: Processes) -> None:
        super().__init__(processes)
        self._n_atoms, self._k = 0, 0

    def own_options(self, options: TrainingOptions) -> TrainingOptions:
        if options.n_atoms < self.processes.size:
            raise ValueError(
                f"{options.n_atoms} atoms cannot be divided among {self.processes.size} processes."
            )
        self._n_atoms, self._k = options.n_atoms, options.k or 0
        n_own = self._bound(self.processes.rank + 1) - self._bound(self.processes.rank)
        k = None if options.k is None else min(options.k, n_own)
        return replace(options, n_atoms=n_own, k=k)

    def own_state(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        first, last = self._bound(self.processes.rank), self._bound(self.processes.rank + 1)
        own = {n: t[first:last] if _is_by_atom(n) else t for n, t in tensors.items()}
        if "dead" in tensors:
            dead = tensors["dead"]
            own["dead"] = dead[(dead >= first) & (dead < last)] - first
        return own

    def whole_state(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        if "dead" in tensors:
            tensors = {**tensors, "dead": tensors["dead"] + self._bound(self.processes.rank)}
        joined: Callable[[Tensor], Tensor] = self.processes.concatenate
        return {
            name: joined(t.detach()) if _is_by_atom(name) or name == "dead" else t
            for name, t in tensors.items()
        }

    def _bound(self, rank: int) -> int:
        """First atom of a process."""
        return self._n_atoms * rank // self.processes.size

    # --- a step --------------------------------------------------------------------------------

    def kept(self, codes: Tensor, options: TrainingOptions) -> Tensor:
        rule = options.rule
        if not isinstance(rule, Largest):
            return codes
        if rule.of_batch:
            return self.keep_largest(codes.reshape(1, -1), self._k * len(codes)).reshape_as(codes)
        return self.keep_largest(codes, self._k)

    def keep_largest(self, values: Tensor, k: int) -> Tensor:
        own = values.detach().topk(min(k, values.shape[1]), dim=1).values
        padded = own.new_full((len(own), k), -torch.inf)
        padded[:, : own.shape[1]] = own
        candidates = self.processes.gather(padded).transpose(0, 1).flatten(1)
        smallest = candidates.topk(k, dim=1).values[:, -1:]
        return torch.where(values >= smallest, values, 0.0)

    def total(self, parts: Tensor) -> Tensor:
        return _Total.apply(parts, self.processes)

    def sum_over_atoms(self, *numbers: float) -> list[float]:
        return self._sum(*numbers)

    def dead_before(self, n_dead: int) -> tuple[int, int]:
        counts = self.processes.gather(torch.tensor(n_dead, dtype=torch.int64, device="cpu"))
        return int(counts[: self.processes.rank].sum()), int(counts.sum())

    def combine(self, parameters: Parameters, outcome: StepOutcome, share: float) -> StepOutcome:
        error = torch.stack([outcome.loss - outcome.price, outcome.squared_error])
        sums = torch.cat(
            [
                torch.stack([outcome.price, outcome.n_active.to(error.dtype)]),
                error * self.is_first,  # all have the same, but for rounding
            ]
        ).double()
        smallest = outcome.smallest.clone()
        self.processes.sum_(sums)
        self.processes.least_(smallest)
        if parameters.decoder_bias.grad is not None:
            self.processes.share_(parameters.decoder_bias.grad)
        price, _, error_loss, squared_error = sums.float()
        n_active = sums[1].to(outcome.n_active.dtype)
        loss = error_loss + price
        return StepOutcome(loss, squared_error, price, n_active, outcome.fires, smallest)

    def gradient_norm(self, parameters: Parameters) -> Tensor:
        by_atom = replace(parameters, decoder_bias=parameters.decoder_bias.detach())
        squares = torch.stack([g.norm().square() for g in gradients_of(by_atom)]).sum()
        self.processes.sum_(squares)
        bias = parameters.decoder_bias.grad
        return (squares if bias is None else squares + bias.norm().square()).sqrt()

    def align(self, parameters: Parameters) -> None:
        self.processes.share_(parameters.decoder_bias.detach())


def _is_by_atom(name: str) -> bool:
    """Whether a tensor of the state of a run has a row, or a number, for every atom."""
    parameter, _, kept = name.removeprefix("best.").partition(".")
    return name in _COUNTERS or (parameter in BY_ATOM and kept != "step")


class _Total(torch.autograd.Function):
    """Sum over processes. All of them have the same loss, whose gradient is that of each part."""

    @staticmethod
    def forward(ctx: Any, parts: Tensor, processes: Processes) -> Tensor:
        total = parts.clone(memory_format=torch.contiguous_format)
        processes.sum_(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None
