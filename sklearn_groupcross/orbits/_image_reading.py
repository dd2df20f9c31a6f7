"""How an `OrbitDataset` reads one image: on its device, in what memory there is, with a warning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from .._ambient import own_state, warn_caller
from .._stacks._rows import check_finite
from ..actions import center_crop
from ._reader import OrbitReader

Item = TypeVar("Item")


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
        image = image.to(self.device)
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


class BegunReading:
    """Orbits of one image, on the way from the device where they are computed.

    Parameters
    ----------
    orbits : Tensor of shape (n_positions, order, n_channels)
    positions : Tensor of shape (n_positions, 2)
    label : str
        What messages call the stack.
    """

    def __init__(self, orbits: Tensor, positions: Tensor, label: str) -> None:
        self._orbits, self._positions, self._label = orbits, positions, label
        self._copied: torch.cuda.Event | None = None
        if orbits.device.type == "cuda":
            # into pinned memory, which the device writes to while other work goes on
            self._orbits = torch.empty(
                orbits.shape, dtype=orbits.dtype, device="cpu", pin_memory=True
            )
            self._orbits.copy_(orbits, non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record(torch.cuda.current_stream(orbits.device))

    def end(self) -> tuple[Tensor, Tensor]:
        """Wait for the orbits, and return them and their positions, on the CPU.

        Raises
        ------
        ValueError
            If activations are not finite.
        """
        if self._copied is not None:
            self._copied.synchronize()
        check_finite(self._orbits, label=self._label)
        return self._orbits.cpu(), self._positions


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Give items one later than they come, so that the next is begun when one is taken.

    An error comes in the place of its item.
    """
    waiting: list[Item] = []
    coming = iter(items)
    while True:
        try:
            item = next(coming)
        except StopIteration:
            break
        except Exception:
            yield from waiting
            raise
        yield from waiting
        waiting = [item]
    yield from waiting
