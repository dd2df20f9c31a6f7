"""The arrays that are learned: their start, and their way back into the units of the data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ._batches import generator_for
from ._options import TrainingOptions


@dataclass
class Parameters:
    """Weights of a crosscoder with m atoms over |G| blocks of d channels.

    Attributes
    ----------
    encoder : Tensor of shape (m, d) or (m, |G| d)
        It reads the identity block, or all blocks.
    encoder_bias : Tensor of shape (m,)
    decoder : Tensor of shape (m, |G| d)
        One atom a row, blocks side by side.
    decoder_bias : Tensor of shape (1, d) or (|G|, d)
        One row if every block has the same bias, as right translation of the data asks for.
    log_threshold : Tensor of shape (m,), optional
        Of JumpReLU.
    """

    encoder: Tensor
    encoder_bias: Tensor
    decoder: Tensor
    decoder_bias: Tensor
    log_threshold: Tensor | None = None

    def named(self) -> dict[str, Tensor]:
        """All arrays that there are, in a fixed order."""
        return {name: tensor for name, tensor in vars(self).items() if tensor is not None}

    def tensors(self) -> list[Tensor]:
        """All arrays that there are, in a fixed order."""
        return list(self.named().values())

    def flat_bias(self, order: int) -> Tensor:
        """Decoder bias of all blocks side by side, of shape (|G| d,)."""
        return self.decoder_bias.expand(order, -1).reshape(-1)

    def learnable(self, device: torch.device) -> Parameters:
        """Copies on a device that require gradients."""
        return Parameters(
            **{
                name: tensor.detach().to(device, torch.float32, copy=True).requires_grad_(True)
                for name, tensor in self.named().items()
            }
        )


def initialise(
    options: TrainingOptions, mean: Tensor, dictionary: Tensor | None = None
) -> Parameters:
    """Atoms of equal norm; the encoder starts as what it reads of the decoder.

    Parameters
    ----------
    options : TrainingOptions
    mean : Tensor of shape (|G|, d)
        Mean of the scaled data: the start of the decoder bias.
    dictionary : Tensor of shape (m, |G| d), optional
        Directions of the atoms. Default: random.

    Returns
    -------
    parameters : Parameters
        On the CPU, so that every device starts alike.
    """
    generator = generator_for(options.seed, 0)
    if dictionary is None:
        dictionary = torch.randn(options.n_atoms, options.width, generator=generator)
    decoder = options.atom_norm * torch.nn.functional.normalize(dictionary, dim=1)
    if options.encoder_input == "identity":
        # The block's own norm is 1/√|G| of the atom's: rows are given the atom's norm.
        encoder = options.atom_norm * torch.nn.functional.normalize(
            decoder[:, : options.n_channels], dim=1
        )
    else:
        encoder = decoder.clone()
    bias = mean.mean(0, keepdim=True) if options.augment else mean.clone()
    log_threshold = None
    if options.activation == "jumprelu":
        # The code of a feature whose part in the reconstruction is just worth its price l1.
        unit = math.sqrt(options.width) / options.atom_norm
        log_threshold = torch.full((options.n_atoms,), math.log(max(options.l1, 1e-6) / 2 * unit))
    read = bias.expand(options.group.order, -1).reshape(-1)[: encoder.shape[1]]
    # so that a sample at the mean has no code to begin with
    return Parameters(encoder, -(encoder @ read), decoder, bias, log_threshold)


@torch.no_grad()
def fold_scale(parameters: Parameters, scale: float) -> Parameters:
    """Return weights for the data as they came, from weights for the data times `scale`.

    Codes, and so thresholds, stay what they are; atoms and decoder bias get the units of the data.
    """
    return Parameters(
        encoder=parameters.encoder * scale,
        encoder_bias=parameters.encoder_bias.clone(),
        decoder=parameters.decoder / scale,
        decoder_bias=parameters.decoder_bias / scale,
        log_threshold=parameters.log_threshold,
    )
