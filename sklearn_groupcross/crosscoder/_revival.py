"""Dead atoms: two ways to bring them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ._batches import generator_for
from ._options import TrainingOptions
from ._schedule import l1_at

if TYPE_CHECKING:
    from ._batches import Samples
    from ._trainer import Trainer

# Weight of the auxiliary loss, which is normalised by the error that it explains (Gao et al. 2024,
# "Scaling and evaluating sparse autoencoders", arXiv:2406.04093, appendix A.2).
_AUX_WEIGHT = 1 / 32
# A resampled atom's encoder is weaker than its neighbours', so that it disturbs little (Bricken et
# al. 2023, "Towards monosemanticity", appendix "Neuron resampling").
_RESAMPLED_GAIN = 0.2
_SMALLEST_THRESHOLD = 1e-3  # of JumpReLU, in the units of codes
#: Resampling happens so many times in a run, evenly spaced, and not after this share of it: what
#: is brought back late has no time to learn.
N_RESAMPLINGS, LAST_RESAMPLING = 10, 0.7


def auxk_loss(values: Tensor, error: Tensor, decoder: Tensor, options: TrainingOptions) -> Tensor:
    """How badly the dead atoms explain what the living ones leave over.

    Parameters
    ----------
    values : Tensor of shape (n, n_dead)
        Pre-activations of the dead atoms, at least one.
    error : Tensor of shape (n, w)
        Orbits less their reconstruction; nothing is learned through it.
    decoder : Tensor of shape (n_dead, w)
        The dead atoms.

    Returns
    -------
    loss : Tensor, scalar
        A share of the error's mean square, in the units of the main loss.
    """
    error = error.detach()
    n_used = min(max(1, options.n_channels // 2), values.shape[1])
    # No ReLU: dead atoms are mostly negative, where it would give them no gradient.
    strongest, chosen = values.topk(n_used, dim=1)
    codes = torch.zeros_like(values).scatter(1, chosen, strongest)
    # no bias: the error has no mean to speak of, since the decoder's bias has taken it already
    explained = codes.to(options.matmul_dtype) @ decoder.to(options.matmul_dtype)
    squared_error = (error - explained).square().sum() / len(error)
    return _AUX_WEIGHT * squared_error / options.width


@torch.no_grad()
def resample(trainer: Trainer, batch: Samples) -> int:
    """Point dead atoms at samples of a batch that are badly reconstructed.

    Parameters
    ----------
    trainer : Trainer
    batch : Samples

    Returns
    -------
    n_resampled : int
    """
    options, parameters = trainer.options, trainer.parameters
    dead = trainer.dead_atoms()
    error = batch.targets - trainer.reconstruction(batch.inputs)
    squared_error = error.square().sum(1)
    if options.activation == "jumprelu":
        # An atom gains a sample no more than its whole error. Where one active code costs more, it
        # should stay dead: its new threshold would be too low, and rises by the learning rate only.
        price = (l1_at(trainer.step, options) / 2) ** 2
        squared_error = squared_error * (squared_error / options.width > price)
    badness = squared_error.square().cpu()
    n_new = min(len(dead), int((badness > 0).sum()))
    if n_new == 0:
        return 0
    generator = generator_for(options.seed, 2, trainer.step)
    chosen = torch.multinomial(badness, n_new, generator=generator).to(error.device)
    dead, directions = dead[:n_new], error[chosen]
    alive = torch.ones(options.n_atoms, dtype=torch.bool, device=error.device)
    alive[trainer.dead_atoms()] = False

    def typical_norm(weights: Tensor) -> float:
        return float(weights[alive].norm(dim=1).mean()) if bool(alive.any()) else options.atom_norm

    encoder = torch.nn.functional.normalize(trainer.read_part(directions), dim=1)
    encoder *= _RESAMPLED_GAIN * typical_norm(parameters.encoder)
    decoder = torch.nn.functional.normalize(directions, dim=1)
    bias = trainer.read_part(parameters.flat_bias()[None])[0]
    changes = {
        "encoder": encoder,
        "encoder_bias": -(encoder @ bias),
        "decoder": decoder * typical_norm(parameters.decoder),
    }
    if parameters.log_threshold is not None:
        # half of what the atom makes of its own sample: it fires there, and not at every noise
        own = (encoder * (batch.inputs[chosen] - bias)).sum(dim=1)
        changes["log_threshold"] = (own / 2).clamp_min(_SMALLEST_THRESHOLD).log()
    for name, value in changes.items():
        tensor = parameters.named()[name]
        tensor[dead] = value
        for moment in ("exp_avg", "exp_avg_sq"):
            trainer.optimiser.state[tensor][moment][dead] = 0.0
    trainer.idle[dead] = 0
    return n_new
