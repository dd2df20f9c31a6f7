"""The arrays that are learned: their start, and their way back into the units of the data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Parameters:
    """Weights of a crosscoder with m atoms over |G| blocks of d channels.

    Attributes
    ----------
    encoder : Tensor of shape (m, d)
    encoder_bias : Tensor of shape (m,)
    decoder : Tensor of shape (m, |G| d)
        One atom a row, blocks side by side.
    decoder_bias : Tensor of shape (1, d) or (|G|, d)
        One row if every block has the same bias, as right translation of the data asks for.
    """

    encoder: Tensor
    encoder_bias: Tensor
    decoder: Tensor
    decoder_bias: Tensor

    def tensors(self) -> list[Tensor]:
        """All arrays, in a fixed order."""
        return [self.encoder, self.encoder_bias, self.decoder, self.decoder_bias]

    def flat_bias(self, order: int) -> Tensor:
        """Decoder bias of all blocks side by side, of shape (|G| d,)."""
        return self.decoder_bias.expand(order, -1).reshape(-1)


def initialise(
    n_atoms: int,
    order: int,
    mean: Tensor,
    *,
    atom_norm: float,
    shared_bias: bool,
    generator: torch.Generator,
) -> Parameters:
    """Random atoms of equal norm; the encoder starts as the decoder's identity block.

    Parameters
    ----------
    n_atoms : int
    order : int
        Number of blocks, |G|.
    mean : Tensor of shape (|G|, d)
        Mean of the scaled data: the start of the decoder bias.
    atom_norm : float
        Norm of every atom over all blocks.
    shared_bias : bool
        Whether one decoder bias serves all blocks.
    generator : torch.Generator
        On the CPU, so that every device starts alike.

    Returns
    -------
    parameters : Parameters
        On the device of `mean`, requiring gradients.
    """
    n_channels = mean.shape[1]
    decoder = torch.randn(n_atoms, order * n_channels, generator=generator)
    decoder *= atom_norm / decoder.norm(dim=1, keepdim=True)
    # The block's own norm is 1/√|G| of the atom's: rows of the encoder are given the atom's norm.
    identity_block = decoder[:, :n_channels]
    encoder = identity_block * (
        atom_norm / identity_block.norm(dim=1, keepdim=True).clamp_min(1e-12)
    )
    bias = mean.mean(0, keepdim=True) if shared_bias else mean.clone()
    decoder, encoder = decoder.to(mean), encoder.to(mean)
    # so that a sample at the mean has no code to begin with
    encoder_bias = -(encoder @ bias[0])
    parameters = Parameters(encoder, encoder_bias, decoder, bias)
    for tensor in parameters.tensors():
        tensor.requires_grad_(True)
    return parameters


@torch.no_grad()
def fold_scale(parameters: Parameters, scale: float) -> Parameters:
    """Return weights for the data as they came, from weights for the data times `scale`.

    Codes stay what they are; atoms and decoder bias get the units of the data.
    """
    return Parameters(
        encoder=parameters.encoder * scale,
        encoder_bias=parameters.encoder_bias.clone(),
        decoder=parameters.decoder / scale,
        decoder_bias=parameters.decoder_bias / scale,
    )
