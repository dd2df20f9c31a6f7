"""How an `OrbitDataset` reads one image: on its device, in what memory there is, with a warning."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .._ambient import own_state, warn_caller
from ..actions import center_crop
from ._reader import OrbitReader


@dataclass
class ImageReading:
    """An `OrbitReader` on a device.

    Attributes
    ----------
    reader : OrbitReader
        Its ``batch_size`` is halved where a batch does not fit in the device's memory.
    device : torch.device
    is_tried : bool
        Whether it is known if readings depend on anything but the image.
    """

    reader: OrbitReader
    device: torch.device
    is_tried: bool = False

    def read(self, image: Tensor, positions: Tensor, interpolation: str | None) -> Tensor:
        """Read orbits at positions; see `OrbitDataset.read_orbits`."""
        self.reader.network.to(self.device)
        image, positions = image.to(self.device), positions.to(self.device)
        interpolation = interpolation or self.reader.interpolation
        while True:
            try:
                return replace(self.reader, interpolation=interpolation).read(image, positions)
            except torch.OutOfMemoryError:
                if self.reader.batch_size == 1:
                    raise
                torch.cuda.empty_cache()
                self.reader = replace(self.reader, batch_size=self.reader.batch_size // 2)

    @own_state()
    def try_network(self, image: Tensor) -> None:
        """Warn, the first time, if readings depend on chance or the other images of a batch."""
        if self.is_tried:
            return
        network, layers = self.reader.network, self.reader.layers
        network.to(self.device)
        square = center_crop(image[None].to(self.device), self.reader.fields[-1].input_size)
        cause = network.unsteadiness(square, layers)
        if cause is not None:
            warn_caller(
                f"What network {network.name!r} gives for an image at {'+'.join(layers)} depends "
                f"on {cause}: a dropout or a normalisation runs as in training, or preprocess is "
                "random. Orbits change with it from one reading, or one batch_size, to another.",
                UserWarning,
            )
        self.is_tried = True
