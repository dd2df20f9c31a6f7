"""The arrays that are learned: their start, and their way back into the units of the data."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ._basis import OrbitBasis
from ._batches import generator_for
from ._options import TrainingOptions

# What arrays are made as, whatever the defaults of torch are set to.
_START: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}


@dataclass
class Parameters:
    """Weights of a crosscoder with m atoms over |G| blocks of d channels.

    Attributes
    ----------
    encoder : Tensor of shape (m, d) or (m, |G| d)
        It reads the identity block, or all blocks; of these the coordinates, if there is a basis.
    encoder_bias : Tensor of shape (m,)
    decoder : Tensor of shape (m, |G| d)
        One atom a row, blocks side by side.
    decoder_bias : Tensor of shape (1, d) or (|G|, d)
        One row if every block has the same bias, as right translation of the data asks for. In a
        basis of r coordinates decoder and bias are (m, r) and (1, r).
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

    def flat_bias(self) -> Tensor:
        """Decoder bias of all blocks side by side, of shape (|G| d,)."""
        n_blocks = self.decoder.shape[1] // self.decoder_bias.shape[1]
        return self.decoder_bias.expand(n_blocks, -1).reshape(-1)

    def detached(self) -> Parameters:
        """Return the same arrays without their history."""
        return Parameters(**{name: tensor.detach() for name, tensor in self.named().items()})

    def compressed(self, basis: OrbitBasis, *, reads_orbit: bool) -> Parameters:
        """Return the weights in a basis; what is outside of its span is lost."""
        return replace(
            self,
            encoder=basis.compress(self.encoder) if reads_orbit else self.encoder,
            decoder=basis.compress(self.decoder),
            decoder_bias=basis.compress(self.flat_bias()[None]),
        )

    def expanded(self, basis: OrbitBasis, *, reads_orbit: bool) -> Parameters:
        """Return weights in a basis as weights for all blocks side by side."""
        return replace(
            self,
            encoder=basis.expand(self.encoder) if reads_orbit else self.encoder,
            decoder=basis.expand(self.decoder),
            decoder_bias=basis.expand(self.decoder_bias).reshape(basis.group.order, -1),
        )

    def learnable(self, device: torch.device) -> Parameters:
        """Copies on a device that require gradients."""
        return Parameters(
            **{
                name: tensor.detach()
                .to(device, torch.float32, copy=True, memory_format=torch.contiguous_format)
                .requires_grad_(True)
                for name, tensor in self.named().items()
            }
        )


def initialise(
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
    generator = generator_for(options.seed, 0)
    width = options.width if basis is None else basis.n_coordinates
    if dictionary is None:
        dictionary = torch.randn(options.n_atoms, width, generator=generator, **_START)
    elif basis is not None:
        dictionary, whole = basis.compress(dictionary), dictionary
        outside = (dictionary.norm(dim=1) < 1e-3 * whole.norm(dim=1)).nonzero()[:, 0].tolist()
        if outside:
            raise ValueError(
                f"dict_init has atoms of which compression={options.compression:g} keeps nothing: "
                f"{', '.join(map(str, outside[:5]))}. Raise it, or set compression=None."
            )
    decoder = torch.nn.functional.normalize(dictionary, dim=1).mul_(options.atom_norm)
    if options.encoder_input == "identity":
        # The block's own norm is 1/√|G| of the atom's: rows are given the atom's norm.
        read = decoder if basis is None else basis.expand(decoder, slice(1))
        encoder = options.atom_norm * torch.nn.functional.normalize(
            read[:, : options.n_channels], dim=1
        )
    else:
        encoder = decoder.clone()
    log_threshold = None
    if options.activation == "jumprelu":
        # The code of a feature whose part in the reconstruction is just worth its price l1.
        unit = math.sqrt(options.width) / options.atom_norm
        price = math.log(max(options.l1, 1e-6) / 2 * unit)
        log_threshold = torch.full((options.n_atoms,), price, **_START)
    n_biases = 1 if options.augment else options.group.order
    shape = (n_biases, options.n_channels) if basis is None else (1, width)
    bias = torch.zeros(shape, **_START)
    encoder_bias = torch.zeros(options.n_atoms, **_START)
    return Parameters(encoder, encoder_bias, decoder, bias, log_threshold)


@dataclass(frozen=True)
class Units:
    """How training sees the data: ``(x − centre) · scale``, folded back into the weights after.

    The centre matters where the mean is large beside the spread: the penalty would count a code by
    the size of the mean, and gradients would be gradients of the bias.

    Attributes
    ----------
    centre : Tensor of shape (|G|, d) or (1, d), float32 or float64
        In the units of the data; one row if all blocks share the decoder's bias. float64 where
        float32 would lose too much of data far from zero: what is centred is read as that, and
        biases for the data as they came have its type.
    scale : float
        One factor for all columns: one a block would break the symmetry under permuting them.
    """

    centre: Tensor
    scale: float

    def on(self, device: torch.device) -> Units:
        """Return the same units, with the centre on a device."""
        return replace(self, centre=self.centre.to(device))

    def apply_(self, columns: Tensor, first: int = 0) -> Tensor:
        """Centre and scale some columns of orbit stacks in place.

        Parameters
        ----------
        columns : Tensor of shape (n, n_columns)
            On the device of the centre, of its type.
        first : int, default=0
            The first of them.

        Returns
        -------
        scaled : Tensor of shape (n, n_columns), float32
            In the memory of the columns, if they are float32.
        """
        # one row stands for every block
        flat = self.centre.reshape(-1).repeat(-(-(first + columns.shape[1]) // self.centre.numel()))
        centred = columns.sub_(flat[first : first + columns.shape[1]])
        return centred.mul_(self.scale).to(torch.float32)

    @torch.no_grad()
    def fold(self, parameters: Parameters, order: int) -> Parameters:
        """Return weights for the data as they came. Codes, and so thresholds, stay what they are.

        Parameters
        ----------
        parameters : Parameters
            For centred and scaled data.
        order : int
            |G|.
        """
        encoder = parameters.encoder * self.scale
        return Parameters(
            encoder=encoder,
            encoder_bias=parameters.encoder_bias - self._at_centre(encoder, order),
            decoder=parameters.decoder / self.scale,
            decoder_bias=parameters.decoder_bias / self.scale
            + self.centre.to(parameters.decoder_bias.device),
            log_threshold=parameters.log_threshold,
        )

    @torch.no_grad()
    def unfold(self, parameters: Parameters, order: int) -> Parameters:
        """Return weights for centred and scaled data: the inverse of `fold`."""
        centre = self.centre.to(parameters.decoder_bias.device)
        scaled = Parameters(
            encoder=parameters.encoder / self.scale,
            encoder_bias=parameters.encoder_bias + self._at_centre(parameters.encoder, order),
            decoder=parameters.decoder * self.scale,
            decoder_bias=(parameters.decoder_bias - centre) * self.scale,
            log_threshold=parameters.log_threshold,
        )
        narrow = {name: tensor.to(torch.float32) for name, tensor in scaled.named().items()}
        return Parameters(**narrow)

    def _flat_centre(self, order: int) -> Tensor:
        return self.centre.expand(order, -1).reshape(-1)

    def _at_centre(self, encoder: Tensor, order: int) -> Tensor:
        """Pre-activations at the centre; summed in float64, since a bias is to cancel them."""
        centre = self._flat_centre(order)[: encoder.shape[1]].to(encoder.device)
        return (encoder.double() @ centre.double()).to(self.centre.dtype)
