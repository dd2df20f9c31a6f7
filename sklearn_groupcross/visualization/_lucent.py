"""lucent's pictures and its transformations of them, on a device and by a generator of our own.

lucent moves what it makes to the first CUDA device, if there is one, gives it torch's default type,
and draws from the global generators of torch and numpy. `_Placed` names device and type of all that
it makes; what it would draw is drawn here, and it is given one choice to draw from.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from math import ceil
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

#: Degrees, and shares of the size, between which pictures are turned and scaled: lucent's halves.
#: A group of 32 turns tells poses 11° apart, which turns by up to lucent's 10° would blur.
TURN, SCALE = 5.0, 0.05
#: Standard deviation of the start in frequencies: lucent's.
_START = 0.01
_GRAY = 0.5


class Pictures:
    """Pictures in [0, 1], by their frequencies; of RGB in directions that photographs vary along.

    Parameters
    ----------
    n_pictures, n_channels, size : int
    device : torch.device
    seed : int
        Of the start, which is the same for all pictures: one picture does not depend on the others.

    Attributes
    ----------
    spectrum : Tensor
        What is learned.

    Raises
    ------
    ImportError
        If lucent is missing.
    """

    def __init__(
        self, n_pictures: int, n_channels: int, size: int, device: torch.device, seed: int
    ) -> None:
        self._placed = _Placed(device)
        param, self._transform = _lucent(self._placed)
        shape = (n_pictures, n_channels, size, size)
        self._size = size
        with self._placed:
            (self.spectrum,), images = param.fft_image(shape, sd=_START)
            self._images = param.to_valid_rgb(images, decorrelate=n_channels == 3)
        # on the CPU whatever the device: the same seed starts from the same picture
        generator = torch.Generator().manual_seed(seed)
        start = torch.randn(
            self.spectrum.shape[1:], generator=generator, dtype=torch.float32, device="cpu"
        )
        with torch.no_grad():
            self.spectrum.copy_(_START * start)

    def images(self) -> Tensor:
        """Return the pictures (n, n_channels, size, size)."""
        with self._placed:
            return self._images()

    def transformed(self, generator: torch.Generator) -> Tensor:
        """Return the pictures a little turned, scaled and moved, all in the same way."""
        turn, scale = (torch.rand(2, generator=generator, **_ON_CPU) * 2 - 1).tolist()
        reach = max(1, round(self._size / 16))
        row, column = torch.randint(2 * reach + 1, (2,), generator=generator, device="cpu").tolist()
        # as wide as keeps what lies beyond the margin outside: that is black
        margin = ceil((SCALE + 0.01 * TURN) * self._size) + reach
        change: Callable[[Tensor], Tensor] = self._transform.compose(
            [
                self._transform.pad(margin, mode="constant", constant_value=_GRAY),
                self._transform.random_scale([1 + SCALE * scale]),
                self._transform.random_rotate([TURN * turn]),
            ]
        )
        with self._placed:
            changed = change(self._images())
        top, left = ((n - self._size) // 2 - reach for n in changed.shape[-2:])
        rows, columns = top + row, left + column
        return changed[..., rows : rows + self._size, columns : columns + self._size]


_ON_CPU: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}


class _Placed(TorchFunctionMode):
    """Names type and device of tensors that other code makes, and lets it draw nothing."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        options = dict(kwargs or {})
        if function is torch.randn:
            function = torch.zeros
        if function in (torch.zeros, torch.ones, torch.tensor, torch.eye):
            options = {"dtype": torch.float32, "device": self._device, **options}
        elif function is torch.Tensor.to and args[1:] and isinstance(args[1], torch.device):
            args = (args[0], self._device, *args[2:])
        return function(*args, **options)


def _lucent(placed: _Placed) -> tuple[ModuleType, ModuleType]:
    """Import lucent's parametrisations and transformations.

    Raises
    ------
    ImportError
    """
    try:
        # its kornia uses torch.jit, and strings have escapes that newer Pythons deprecate; modules
        # make tensors when they are imported
        if "lucent.optvis.transform" not in sys.modules:
            with warnings.catch_warnings(), _Placed(torch.device("cpu")):
                warnings.simplefilter("ignore")
                import lucent.optvis.param
                import lucent.optvis.transform  # noqa: F401
        from lucent.optvis import param, transform
    except ImportError as error:
        raise ImportError(
            "Pictures of what features want need torch-lucent: pip install "
            "'sklearn-groupcross[lucent]'. (The package called lucent is another one.)"
        ) from error
    return param, transform
