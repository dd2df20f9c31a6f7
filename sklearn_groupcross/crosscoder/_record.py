"""What a run remembers of its steps and epochs: losses, and the history of them."""

from __future__ import annotations

import torch
from torch import Tensor

_RECORDED = ("loss", "fvu", "l0")
_ROOM_AT_FIRST = 256


class Record:
    """Numbers of steps, on the device until their epoch ends, and the history of both.

    Parameters
    ----------
    device : torch.device

    Attributes
    ----------
    history : dict of str to list of float
        As in `GroupCrosscoder.history_`, of the epochs that have ended.
    """

    def __init__(self, device: torch.device) -> None:
        self.history: dict[str, list[float]] = {name: [] for name in (*_RECORDED, "dead")}
        self.history |= {f"step_{name}": [] for name in _RECORDED}
        # One tensor for all steps: small ones that stay, one a step, would pin what malloc frees
        # below them, and memory would grow with the number of steps.
        self._numbers = torch.empty(
            _ROOM_AT_FIRST, len(_RECORDED) + 1, dtype=torch.float32, device=device
        )
        self._n_pending = 0

    @classmethod
    def from_state(
        cls, history: dict[str, list[float]], pending: Tensor | None, device: torch.device
    ) -> Record:
        """Make a record of a history, and of the steps of an epoch that is under way."""
        record = cls(device)
        record.history = history
        if pending is not None:
            record.add(pending.to(device))
        return record

    @property
    def pending(self) -> Tensor:
        """Numbers of the steps of an epoch that is under way, of shape (n, 4)."""
        return self._numbers[: self._n_pending]

    @property
    def n_passes(self) -> int:
        """Passes over the data, the one under way included."""
        return len(self.history["loss"]) + (self._n_pending > 0)

    def add(self, numbers: Tensor) -> None:
        """Keep loss, squared error, active codes a sample and samples of steps: (4,) or (n, 4)."""
        numbers = numbers.reshape(-1, self._numbers.shape[1])
        end = self._n_pending + len(numbers)
        while end > len(self._numbers):
            self._numbers = torch.cat([self._numbers, torch.empty_like(self._numbers)])
        self._numbers[self._n_pending : end] = numbers
        self._n_pending = end

    def end_epoch(self, variance: float, n_dead: float) -> None:
        """Read the numbers of its steps from the device into `history`.

        Parameters
        ----------
        variance : float
            Of the data, in the units of the squared errors.
        n_dead : float
            Atoms that have not fired in the epoch.
        """
        steps = self.pending.double().cpu()
        steps[:, 1] /= variance if variance > 0 else 1.0
        sizes = steps[:, 3]
        for column, name in enumerate(_RECORDED):
            self.history[f"step_{name}"] += steps[:, column].tolist()
            self.history[name].append(float((steps[:, column] * sizes).sum() / sizes.sum()))
        self.history["dead"].append(n_dead)
        self._n_pending = 0
