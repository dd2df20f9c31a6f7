"""What the estimator resolves from its parameters before training starts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

import torch

from ..groups import FiniteGroup
from ._activations import ACTIVATIONS, Activation

#: Active codes of a sample where nothing else is said.
DEFAULT_K = 32

_NOT_JSON = ("group", "device")


@dataclass(frozen=True)
class TrainingOptions:
    """Settings of one training run; see `GroupCrosscoder` for what they mean.

    Attributes
    ----------
    n_steps : int or None
        Steps of the whole run, over which schedules stretch; None where no end is known
        (`partial_fit`): then nothing decays.
    l1_start : float
        Where `l1` begins its rise.
    dead_samples : int
        Samples without firing after which an atom counts as dead.
    dead_features : {"auxk", "resample"} or None
    precision : {"float32", "tf32", "bfloat16"}
        Of the large matrix products; parameters and optimiser stay float32.
    compression : float, "auto" or None
        Share of the variance that is kept in the coordinates of an `OrbitBasis`.
    """

    group: FiniteGroup
    n_channels: int
    n_atoms: int
    activation: str
    k: int | None
    l1: float
    encoder_input: str
    augment: bool
    n_steps: int | None
    learning_rate: float
    warm_up: float
    decay: float
    dead_features: str | None
    dead_samples: int
    precision: str
    device: torch.device
    seed: int
    l1_start: float = 0.0
    compression: float | Literal["auto"] | None = None

    def to_json(self) -> dict[str, Any]:
        """All but group and device, which are kept elsewhere."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_JSON}

    @property
    def matmul_dtype(self) -> torch.dtype:
        """The `precision` as torch names it."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    @property
    def width(self) -> int:
        """Columns of an orbit stack, |G| d."""
        return self.group.order * self.n_channels

    @property
    def reads_orbit(self) -> bool:
        """Whether the encoder reads all blocks."""
        return self.encoder_input == "orbit"

    @property
    def n_read(self) -> int:
        """Columns of the data that the encoder reads; they are the first."""
        return self.width if self.reads_orbit else self.n_channels

    @cached_property
    def rule(self) -> Activation:
        """What the `activation` does; everything that depends on which it is asks here."""
        return ACTIVATIONS[self.activation](self.n_atoms, self.width, self.k)
