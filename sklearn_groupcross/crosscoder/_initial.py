"""Where learning starts: atoms, the encoder that reads them, and biases."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ._basis import OrbitBasis
from ._batches import generator_for
from ._options import TrainingOptions
from ._parameters import Parameters

# What arrays are made as, whatever the defaults of torch are set to.
_START: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}


def initialize(
    options: TrainingOptions, dictionary: Tensor | None = None, basis: OrbitBasis | None = None
) -> Parameters:
    """Atoms of equal norm; the encoder starts as what it reads of the decoder, biases at 0.

    Parameters
    ----------
    options : TrainingOptions
    dictionary : Tensor of shape (m, |G| d), optional
        Directions of the atoms. Default: random.
    basis : OrbitBasis, optional
        Coordinates in which the decoder is learned.

    Returns
    -------
    parameters : Parameters
        For centred and scaled data (`Units`). On the CPU, so that every device starts alike.
    """
    generator, atom_norm = generator_for(options.seed, 0), options.rule.atom_norm
    width = options.width if basis is None else basis.n_coordinates
    if dictionary is None:
        dictionary = torch.randn(options.n_atoms, width, generator=generator, **_START)
    elif basis is not None:
        dictionary, whole = basis.compress(dictionary), dictionary
        outside = (dictionary.norm(dim=1) < 1e-3 * whole.norm(dim=1)).nonzero()[:, 0].tolist()
        if outside:
            raise ValueError(
                f"dict_init has atoms of which compression={options.compression!r} keeps nothing: "
                f"{', '.join(map(str, outside[:5]))}. Raise it, or set compression=None."
            )
    decoder = torch.nn.functional.normalize(dictionary, dim=1).mul_(atom_norm)
    if options.encoder_input == "identity":
        # The block's own norm is 1/√|G| of the atom's: rows are given the atom's norm.
        read = decoder if basis is None else basis.expand(decoder, slice(1))
        encoder = atom_norm * torch.nn.functional.normalize(read[:, : options.n_channels], dim=1)
    else:
        encoder = decoder.clone()
    n_biases = 1 if options.augment else options.group.order
    shape = (n_biases, options.n_channels) if basis is None else (1, width)
    bias = torch.zeros(shape, **_START)
    encoder_bias = torch.zeros(options.n_atoms, **_START)
    log_threshold = options.rule.first_log_threshold(options.l1)
    return Parameters(encoder, encoder_bias, decoder, bias, log_threshold)
