"""The arrays that are learned, what they map, and their way back into the units of the data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ._basis import OrbitBasis

#: Parameters that have a row, or a number, for every atom.
BY_ATOM = ("encoder", "encoder_bias", "decoder", "log_threshold")


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
        Of activations that learn a threshold for each atom.
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

    def preactivations(self, inputs: Tensor, out: Tensor | None = None) -> Tensor:
        """``W_enc x + b_enc`` of the blocks that the encoder reads, of shape (n, m)."""
        return torch.addmm(self.encoder_bias, inputs, self.encoder.T, out=out)

    def reconstruct(self, codes: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """``Ô[g] = W_dec[g]ᵀ f + b_dec[g]`` for all blocks side by side, of shape (n, w).

        With a `dtype` the product is computed in it; the bias is added in its own.
        """
        if dtype is None or dtype == codes.dtype:
            return torch.addmm(self.flat_bias(), codes, self.decoder)
        return codes.to(dtype) @ self.decoder.to(dtype) + self.flat_bias()

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


@dataclass(frozen=True)
class Units:
    """How training sees the data: ``(x − centre) · scale``, folded back into the weights after.

    The centre matters where the mean is large beside the spread: the penalty would count a code by
    the size of the mean, and gradients would be gradients of the bias.

    Attributes
    ----------
    center : Tensor of shape (|G|, d) or (1, d), float32 or float64
        In the units of the data; one row if all blocks share the decoder's bias. float64 where
        float32 would lose too much of data far from zero: what is centred is read as that, and
        biases for the data as they came have its type.
    scale : float
        One factor for all columns: one a block would break the symmetry under permuting them.
    """

    center: Tensor
    scale: float

    def on(self, device: torch.device) -> Units:
        """Return the same units, with the centre on a device."""
        return replace(self, center=self.center.to(device))

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
        flat = self.center.reshape(-1).repeat(-(-(first + columns.shape[1]) // self.center.numel()))
        centered = columns.sub_(flat[first : first + columns.shape[1]])
        return centered.mul_(self.scale).to(torch.float32)

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
            encoder_bias=parameters.encoder_bias - self._at_center(encoder, order),
            decoder=parameters.decoder / self.scale,
            decoder_bias=parameters.decoder_bias / self.scale
            + self.center.to(parameters.decoder_bias.device),
            log_threshold=parameters.log_threshold,
        )

    @torch.no_grad()
    def unfold(self, parameters: Parameters, order: int) -> Parameters:
        """Return weights for centred and scaled data: the inverse of `fold`."""
        center = self.center.to(parameters.decoder_bias.device)
        scaled = Parameters(
            encoder=parameters.encoder / self.scale,
            encoder_bias=parameters.encoder_bias + self._at_center(parameters.encoder, order),
            decoder=parameters.decoder * self.scale,
            decoder_bias=(parameters.decoder_bias - center) * self.scale,
            log_threshold=parameters.log_threshold,
        )
        narrow = {name: tensor.to(torch.float32) for name, tensor in scaled.named().items()}
        return Parameters(**narrow)

    def _flat_center(self, order: int) -> Tensor:
        return self.center.expand(order, -1).reshape(-1)

    def _at_center(self, encoder: Tensor, order: int) -> Tensor:
        """Pre-activations at the centre; summed in float64, since a bias is to cancel them."""
        center = self._flat_center(order)[: encoder.shape[1]].to(encoder.device)
        return (encoder.double() @ center.double()).to(self.center.dtype)
