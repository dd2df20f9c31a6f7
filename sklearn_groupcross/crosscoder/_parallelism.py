"""What training asks of whoever divides it among processes; here one process does all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ._batches import Batch, Samples, StepOutcome
from ._options import TrainingOptions
from ._parameters import Parameters


class Parallelism:
    """One process, which has all samples and all atoms.

    Attributes
    ----------
    is_first : bool
        Whether this process decides, and writes files.
    splits_atoms : bool
        Whether each process has some of the atoms alone.
    """

    is_first = True
    splits_atoms = False

    # --- what all have in common -----------------------------------------------------------------

    def tell(self, value: Any) -> Any:
        """What the first process has of a value that JSON can hold."""
        return value

    def share(self, tensors: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """Tensors that the first process has; the others give None."""
        return dict(tensors or {})

    def any(self, *flags: bool) -> list[bool]:
        """Whether some process has set each of some flags."""
        return list(flags)

    def check_same(self, facts: Mapping[str, Any]) -> None:
        """Refuse processes that do not agree on facts, which JSON can hold.

        Raises
        ------
        ValueError
        """

    # --- reading -------------------------------------------------------------------------------

    def check_batches(self, n: int) -> None:
        """Refuse batches of n samples, if there is nothing to divide in them.

        Raises
        ------
        ValueError
        """

    def part(self, batch: Batch) -> Batch:
        """What this process reads of a batch."""
        return batch

    def whole(self, samples: Samples) -> Samples:
        """All samples of a step, of those of this process."""
        return samples

    def computes(self, number: int) -> bool:
        """Whether this process computes a piece of what all will need."""
        return True

    def complete(self, pieces: Sequence[Tensor]) -> None:
        """Fill in the pieces that others have computed."""

    # --- atoms ---------------------------------------------------------------------------------

    def own_options(self, options: TrainingOptions) -> TrainingOptions:
        """Options for the atoms of this process."""
        return options

    def own_state(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Of the state of a run, what concerns the atoms of this process."""
        return tensors

    def whole_state(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """State of a run, of what concerns the atoms of this process."""
        return tensors

    def kept(self, codes: Tensor, options: TrainingOptions) -> Tensor:
        """Codes (n, c) of the atoms of this process, of which the activation keeps those.

        `options` are for these atoms.
        """
        return codes

    def keep_largest(self, values: Tensor, k: int) -> Tensor:
        """Values (n, c), zero but for the k largest of each row over the atoms of all."""
        return values

    def total(self, parts: Tensor) -> Tensor:
        """Sum over the atoms of all, of sums over those of this process."""
        return parts

    def sum_over_atoms(self, *numbers: float) -> list[float]:
        """Sums over the atoms of all, of sums over those of this process."""
        return list(numbers)

    def dead_before(self, n_dead: int) -> tuple[int, int]:
        """How many atoms are dead before those of this process, and how many are in all."""
        return 0, n_dead

    # --- a step --------------------------------------------------------------------------------

    def combine(self, parameters: Parameters, outcome: StepOutcome, share: float) -> StepOutcome:
        """Outcome of a step of all processes; so are the gradients then.

        `share` is that of this process in the samples of the step.
        """
        return outcome

    def gradient_norm(self, parameters: Parameters) -> Tensor:
        """Norm of all gradients together."""
        return torch.stack([gradient.norm() for gradient in gradients_of(parameters)]).norm()

    def sum_over_samples(self, *numbers: float) -> list[float]:
        """Sums over the samples of all, of sums over those of this process."""
        return list(numbers)

    def choose(self, chosen: Tensor) -> Tensor:
        """What the first process has drawn."""
        return chosen

    def align(self, parameters: Parameters) -> None:
        """Let rounding, which differs between processors, not add up: take over the first's."""


#: One process.
ALONE = Parallelism()


def gradients_of(parameters: Parameters) -> list[Tensor]:
    """Gradients of those parameters that have one."""
    return [tensor.grad for tensor in parameters.tensors() if tensor.grad is not None]
