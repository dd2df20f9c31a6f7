"""What goes into a step and comes out of it: which rows, their samples, what was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Passes:
    """How often and in what portions the data are read.

    Attributes
    ----------
    rows : ndarray of int
        The rows to train on.
    first_epoch, first_step : int
        Where these passes begin, if others came before.
    """

    rows: NDArray[np.int64]
    batch_size: int
    n_epochs: int
    augment: bool
    seed: int
    first_epoch: int = 0
    first_step: int = 0

    @property
    def n_batches(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.rows) // self.batch_size)

    @property
    def n_steps(self) -> int:
        """Steps in all."""
        return self.n_batches * self.n_epochs


@dataclass(frozen=True)
class Batch:
    """Rows of one step, and the group element by which their orbits are translated.

    Attributes
    ----------
    share : float
        Of the rows of the step; other processes have the rest.
    """

    rows: NDArray[np.int64]
    translation: int
    share: float = 1.0


@dataclass(frozen=True)
class Samples:
    """Centred and scaled samples of a step.

    Attributes
    ----------
    inputs : Tensor of shape (n, d) or (n, w)
        What the encoder reads.
    targets : Tensor of shape (n, w)
        What the decoder reconstructs: all blocks side by side, or their coordinates in a basis.
    share : float
        Of the samples of the step; other processes have the rest.
    """

    inputs: Tensor
    targets: Tensor
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class StepOutcome:
    """What a step found, beside the gradients that it left at the parameters.

    Attributes
    ----------
    loss : Tensor, scalar
    squared_error : Tensor, scalar
        Mean over samples of the squared error of the reconstruction.
    price : Tensor, scalar
        What codes cost, a part of the loss.
    n_active : Tensor, scalar
        Active codes of all samples together.
    fires : Tensor of shape (m,), bool
        Atoms with an active code.
    smallest : Tensor, scalar
        Smallest active code; infinite if there is none.
    """

    loss: Tensor
    squared_error: Tensor
    price: Tensor
    n_active: Tensor
    fires: Tensor
    smallest: Tensor


def generator_for(seed: int, *purpose: int) -> torch.Generator:
    """Make the CPU generator that a seed has for one purpose, such as epoch 7.

    Draws depend on where in the run they are made and on nothing drawn before, so a run that is
    resumed needs no generator's state: it makes the same draws.
    """
    words = np.random.SeedSequence([seed, *purpose]).generate_state(2, dtype=np.uint32)
    value = (int(words[0]) << 32 | int(words[1])) & (2**63 - 1)
    return torch.Generator("cpu").manual_seed(value)


def plan_epoch(
    rows: NDArray[np.int64], batch_size: int, order: int, *, augment: bool, seed: int, epoch: int
) -> list[Batch]:
    """Shuffle all rows among the batches of an epoch.

    Parameters
    ----------
    rows : ndarray of int
        The rows to train on: every one is read once.
    batch_size : int
        At most so many rows a batch; batches differ by one row at most.
    order : int
        Number of group elements.
    augment : bool
        Draw a translation for each batch; otherwise it is the identity.
    seed, epoch : int

    Returns
    -------
    batches : list of Batch
    """
    generator = generator_for(seed, 1, epoch)
    shuffled = rows[torch.randperm(len(rows), generator=generator, device="cpu").numpy()]
    parts = np.array_split(shuffled, -(-len(rows) // batch_size))
    if augment:
        translations = torch.randint(
            order, (len(parts),), generator=generator, device="cpu"
        ).tolist()
    else:
        translations = [0] * len(parts)
    # Within a batch the order is free: increasing rows are read faster.
    return [Batch(np.sort(part), h) for part, h in zip(parts, translations, strict=True)]
