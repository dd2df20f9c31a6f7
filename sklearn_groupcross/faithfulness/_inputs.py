"""Images and codes in parts, as analyses of a network take them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..actions import center_crop
from ..orbits import ImageSource

_CODES_A_PASS = 1 << 25  # 128 MiB of float32


def encoding_passes(n_rows: int, n_atoms: int) -> Iterator[slice]:
    """Cut rows into parts whose codes fit in memory, whatever the number of atoms."""
    step = max(1, _CODES_A_PASS // n_atoms)
    for start in range(0, n_rows, step):
        yield slice(start, start + step)


class CenterBatches:
    """Images scaled to one size, of each the centre that a network reads, in batches.

    Parameters
    ----------
    images : path, sequence of paths, array or sequence of arrays
        See `ImageSource`.
    input_size : int
        Side in pixels of what is cut out.
    source_size : int
        Pixels of the shorter side to which images are scaled before.
    batch_size : int
    n_channels : int, default=3
        Of an image.

    Raises
    ------
    ValueError
        If a size is out of range.
    """

    def __init__(
        self, images: Any, input_size: int, source_size: int, batch_size: int, n_channels: int = 3
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1; got {batch_size}.")
        if source_size < input_size:
            raise ValueError(
                f"source_size is at least the network's input size, {input_size} px; got "
                f"{source_size}."
            )
        self.source = ImageSource(images, n_channels=n_channels)
        self.input_size, self.source_size = input_size, source_size
        self.batch_size = batch_size

    @property
    def n_images(self) -> int:
        """Of all batches together."""
        return len(self.source)

    def __iter__(self) -> Iterator[Tensor]:
        """Yield tensors (n, n_channels, input_size, input_size), in [0, 1].

        Images that cannot be used are all named before the first.
        """
        self.source.check_all()
        for start in range(0, self.n_images, self.batch_size):
            indices = range(start, min(start + self.batch_size, self.n_images))
            squares = torch.stack([self.source.load(i, self.source_size) for i in indices])
            yield center_crop(squares, self.input_size)
