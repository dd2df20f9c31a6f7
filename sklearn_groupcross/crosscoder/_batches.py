"""Which rows each step reads, and reading them ahead of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Rows of one step, and the group element by which their orbits are translated."""

    rows: NDArray[np.int64]
    translation: int


@dataclass(frozen=True)
class Samples:
    """Centred and scaled samples of a step.

    Attributes
    ----------
    inputs : Tensor of shape (n, d) or (n, w)
        What the encoder reads.
    targets : Tensor of shape (n, w)
        What the decoder reconstructs: all blocks side by side, or their coordinates in a basis.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


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


T = TypeVar("T")


def read_ahead(read: Callable[[Batch], T], batches: Sequence[Batch]) -> Iterator[T]:
    """Read batches in order, the next one while the last is worked on.

    An error in the reading thread is raised here, where its batch would have come.
    """
    if not batches:
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="orbits") as reader:
        coming = reader.submit(read, batches[0])
        for following in [*batches[1:], None]:
            block = coming.result()
            if following is not None:
                coming = reader.submit(read, following)
            yield block
