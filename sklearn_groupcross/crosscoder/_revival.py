"""Dead atoms that are brought back by pointing them at samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ._batches import Samples, generator_for
from ._options import TrainingOptions
from ._parallelism import ALONE, Parallelism
from ._parameters import Parameters
from ._schedule import l1_at

# A resampled atom's encoder is weaker than its neighbors', so that it disturbs little (Bricken et
# al. 2023, "Towards monosemanticity", appendix "Neuron resampling").
_RESAMPLED_GAIN = 0.2
# Resampling happens so many times in a run, evenly spaced, and not after this share of it: what
# is brought back late has no time to learn.
_N_RESAMPLINGS, _LAST_RESAMPLING = 10, 0.7


@dataclass(frozen=True)
class NewAtoms:
    """What takes the place of dead atoms.

    Attributes
    ----------
    atoms : Tensor of shape (n_new,), int64
    rows : dict of str to Tensor
        Of the parameters, by name: a new row, or number, for each of the atoms.
    """

    atoms: Tensor
    rows: dict[str, Tensor]


def resamples_at(step: int, options: TrainingOptions) -> bool:
    """Whether dead atoms are resampled before a step."""
    n_steps = options.n_steps
    if options.dead_features != "resample" or n_steps is None or step == 0:
        return False
    return step % max(1, n_steps // _N_RESAMPLINGS) == 0 and step <= _LAST_RESAMPLING * n_steps


@torch.no_grad()
def resample(
    parameters: Parameters,
    options: TrainingOptions,
    batch: Samples,
    reconstruction: Tensor,
    dead: Tensor,
    read_part: Callable[[Tensor], Tensor],
    step: int,
    parallel: Parallelism = ALONE,
) -> NewAtoms:
    """Point dead atoms at samples of a batch that are badly reconstructed.

    Parameters
    ----------
    parameters : Parameters
        Not changed.
    options : TrainingOptions
    batch : Samples
    reconstruction : Tensor of shape (n, w)
        Of the batch's targets.
    dead : Tensor of shape (n_dead,), int64
    read_part : callable
        Gives what the encoder would read of targets (n, w).
    step : int
        Steps made so far.
    parallel : Parallelism, optional
        Who has other atoms.

    Returns
    -------
    new : NewAtoms
        In place of the first of the dead atoms: fewer than these where samples are.
    """
    error = batch.targets - reconstruction
    squared_error = options.rule.worth(error.square().sum(1), l1_at(step, options))
    badness = squared_error.square().cpu()
    first, n_dead = parallel.dead_before(len(dead))
    n_new = min(n_dead, int((badness > 0).sum()))
    if n_new == 0:
        return NewAtoms(dead[:0], {})
    generator = generator_for(options.seed, 2, step)
    drawn = parallel.choose(torch.multinomial(badness, n_new, generator=generator))
    chosen = drawn[first : first + len(dead)].to(error.device)
    directions = error[chosen]
    alive = torch.ones(options.n_atoms, dtype=torch.bool, device=error.device)
    alive[dead] = False

    def typical_norm(weights: Tensor) -> float:
        norms = weights[alive].norm(dim=1)
        total, n_alive = parallel.sum_over_atoms(float(norms.sum()), len(norms))
        return total / n_alive if n_alive else options.rule.atom_norm

    encoder = torch.nn.functional.normalize(read_part(directions), dim=1)
    encoder *= _RESAMPLED_GAIN * typical_norm(parameters.encoder)
    decoder = torch.nn.functional.normalize(directions, dim=1)
    bias = read_part(parameters.flat_bias()[None])[0]
    own = (encoder * (batch.inputs[chosen] - bias)).sum(dim=1)
    return NewAtoms(
        dead[: len(chosen)],
        {
            "encoder": encoder,
            "encoder_bias": -(encoder @ bias),
            "decoder": decoder * typical_norm(parameters.decoder),
            **options.rule.resampled(own),
        },
    )
