"""Which atoms fire: how long ago each of them last did, and how many do in a step."""

from __future__ import annotations

import torch
from torch import Tensor

from ._options import TrainingOptions

# The number of dead atoms is read this often: reading it in every step would stall a GPU.
_STEPS_BETWEEN_COUNTS = 16


class Counters:
    """Counters of m atoms, on the device.

    Parameters
    ----------
    options : TrainingOptions

    Attributes
    ----------
    idle : Tensor of shape (m,), int64
        Samples since each atom last fired.
    fired : Tensor of shape (m,), bool
        Atoms that have fired in this epoch.
    active_share : Tensor, scalar
        Share of codes that were active in the last step.
    """

    def __init__(self, options: TrainingOptions) -> None:
        n_atoms, device = options.n_atoms, options.device
        self._dead_samples = options.dead_samples
        expected = options.rule.expected_share
        self.active_share = torch.tensor(expected, dtype=torch.float32, device=device)
        self.idle = torch.zeros(n_atoms, dtype=torch.int64, device=device)
        self.fired = torch.zeros(n_atoms, dtype=torch.bool, device=device)
        self._dead: Tensor | None = None

    def update(self, fires: Tensor, active_share: Tensor, n_samples: int) -> None:
        """Count a step in which atoms fired, and a share of the codes was active: in place."""
        self.idle.add_(n_samples).masked_fill_(fires, 0)
        self.fired.logical_or_(fires)
        self.active_share.copy_(active_share)

    def start_epoch(self) -> None:
        """Forget which atoms have fired in the epoch before."""
        self.fired.zero_()

    def dead_atoms(self) -> Tensor:
        """Atoms that have not fired for long, of shape (n_dead,), int64."""
        return (self.idle >= self._dead_samples).nonzero()[:, 0]

    def recently_dead(self, step: int) -> Tensor:
        """Atoms that were dead when they were last counted: every 16 steps."""
        if self._dead is None or step % _STEPS_BETWEEN_COUNTS == 0:
            self._dead = self.dead_atoms()
        return self._dead

    def state(self) -> dict[str, Tensor]:
        """Tensors of which `set_state` makes this state again."""
        tensors = {"idle": self.idle, "fired": self.fired, "active_share": self.active_share}
        return tensors if self._dead is None else {**tensors, "dead": self._dead}

    def set_state(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `state` gave, on the device of these counters."""
        names = ("idle", "fired", "active_share")
        copies = {name: tensors[name].to(self.idle.device, copy=True) for name in names}
        self.idle, self.fired = copies["idle"], copies["fired"]
        self.active_share = copies["active_share"]
        dead = tensors.get("dead")
        self._dead = None if dead is None else dead.to(self.idle.device, copy=True)
