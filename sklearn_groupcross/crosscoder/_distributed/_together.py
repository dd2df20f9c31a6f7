"""What several processes have in common, however they divide the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .._parallelism import Parallelism
from ._processes import Processes


class Together(Parallelism):
    """Several processes.

    Parameters
    ----------
    processes : Processes
    """

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.is_first = processes.rank == 0

    def tell(self, value: Any) -> Any:
        return self.processes.tell(value)

    def share(self, tensors: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        described = self.tell(
            [(name, str(t.dtype).removeprefix("torch."), t.shape) for name, t in tensors.items()]
            if tensors is not None
            else None
        )
        shared = {}
        for name, dtype, shape in described:
            tensor = None if tensors is None else tensors[name].detach().cpu().contiguous()
            if tensor is None:
                tensor = torch.empty(shape, dtype=getattr(torch, dtype), device="cpu")
            self.processes.share_(tensor)
            shared[name] = tensor
        return shared

    def any(self, *flags: bool) -> list[bool]:
        return [number > 0 for number in self._sum(*map(float, flags))]

    def check_same(self, facts: Mapping[str, Any]) -> None:
        first = self.tell(facts)
        differing = [name for name, value in facts.items() if _differs(first[name], value)]
        others = [int(rank) for rank in self.processes.gather(_mark(bool(differing))).nonzero()]
        if others:
            own = ", ".join(f"{n}={facts[n]!r:.80} (there {first[n]!r:.80})" for n in differing)
            raise ValueError(
                "All processes must be given the same data and parameters. Different from process "
                f"0: {others}{f': here {own}' if differing else ', see their messages'}."
            )

    def computes(self, number: int) -> bool:
        return number % self.processes.size == self.processes.rank

    def complete(self, pieces: Sequence[Tensor]) -> None:
        for number, piece in enumerate(pieces):
            self.processes.share_(piece, number % self.processes.size)

    def choose(self, chosen: Tensor) -> Tensor:
        self.processes.share_(chosen)
        return chosen

    def _sum(self, *numbers: float) -> list[float]:
        sums = torch.tensor(numbers, dtype=torch.float64, device="cpu")
        self.processes.sum_(sums)
        return sums.tolist()


def _mark(flag: bool) -> Tensor:
    return torch.tensor(flag, dtype=torch.uint8, device="cpu")


def _differs(first: Any, own: Any) -> bool:
    if isinstance(first, float) and isinstance(own, float):
        # on another processor sums come in another order
        return abs(first - own) > 1e-6 * abs(first)
    return bool(first != own)
