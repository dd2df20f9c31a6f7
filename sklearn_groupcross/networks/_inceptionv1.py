"""InceptionV1 as lucid and lucent have it: trained in TensorFlow, its layers named as there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._normalization import LocalResponseNorm

# name: input, 1x1, 3x3 bottleneck, 3x3, 5x5 bottleneck, 5x5, pool reduce. In 4a, 4e and 5a other
# widths than published (Szegedy et al. 2014, table 1): the weights have them.
_BLOCKS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 204, 16, 48, 64),
    "4b": (508, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 48, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}
# The pooling before a block.
_POOLS = {"4a": "maxpool4", "5a": "maxpool10"}


class _Concatenate(nn.Module):
    """A module of its own, so that a block's output has a name to be read by."""

    def forward(self, branches: list[Tensor]) -> Tensor:
        return torch.cat(branches, dim=1)


def _halve() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _normalization() -> LocalResponseNorm:
    # lucent's numbers: the float32 nearest to 1e-4
    return LocalResponseNorm(9, alpha=9.99999974738e-05, beta=0.5, k=1.0)


class InceptionV1(nn.Module):
    """InceptionV1 with the layer names of lucid, those of its convolutions before the ReLU too.

    Blocks can be read at ``mixed3a`` ... ``mixed5b``, branches at ``mixed3a_1x1`` and so on, and
    convolutions at ``mixed3a_1x1_pre_relu_conv`` and so on. Input: RGB, 0-255, minus 117
    (`preprocess_lucid`), (n, 3, height, width); output: probabilities (n, 1008).
    """

    def __init__(self) -> None:
        super().__init__()
        self._add_convolution("conv2d0", 3, 64, 7, stride=2)
        self.maxpool0 = _halve()
        self.localresponsenorm0 = _normalization()
        self._add_convolution("conv2d1", 64, 64, 1)
        self._add_convolution("conv2d2", 64, 192, 3, padding=1)
        self.localresponsenorm1 = _normalization()
        self.maxpool1 = _halve()
        for block, (n_in, n1, n3_bottleneck, n3, n5_bottleneck, n5, n_pool) in _BLOCKS.items():
            if block in _POOLS:
                self.add_module(_POOLS[block], _halve())
            prefix = f"mixed{block}"
            self._add_convolution(f"{prefix}_1x1", n_in, n1, 1)
            self._add_convolution(f"{prefix}_3x3_bottleneck", n_in, n3_bottleneck, 1)
            self._add_convolution(f"{prefix}_3x3", n3_bottleneck, n3, 3, padding=1)
            self._add_convolution(f"{prefix}_5x5_bottleneck", n_in, n5_bottleneck, 1)
            self._add_convolution(f"{prefix}_5x5", n5_bottleneck, n5, 5, padding=2)
            self.add_module(f"{prefix}_pool", nn.MaxPool2d(3, stride=1, padding=1))
            self._add_convolution(f"{prefix}_pool_reduce", n_in, n_pool, 1)
            self.add_module(prefix, _Concatenate())
        self.softmax2_pre_activation_matmul = nn.Linear(1024, 1008)
        self.softmax2 = nn.Softmax(dim=1)

    def _add_convolution(
        self, name: str, n_in: int, n_out: int, size: int, *, stride: int = 1, padding: int = 0
    ) -> None:
        convolution = nn.Conv2d(n_in, n_out, size, stride=stride, padding=padding)
        self.add_module(f"{name}_pre_relu_conv", convolution)
        self.add_module(name, nn.ReLU())  # not in place: the convolution can be read as well

    def _rectified(self, name: str, x: Tensor) -> Tensor:
        return self.get_submodule(name)(self.get_submodule(f"{name}_pre_relu_conv")(x))

    def _block(self, block: str, x: Tensor) -> Tensor:
        prefix = f"mixed{block}"
        branches = [
            self._rectified(f"{prefix}_1x1", x),
            self._rectified(f"{prefix}_3x3", self._rectified(f"{prefix}_3x3_bottleneck", x)),
            self._rectified(f"{prefix}_5x5", self._rectified(f"{prefix}_5x5_bottleneck", x)),
            self._rectified(f"{prefix}_pool_reduce", self.get_submodule(f"{prefix}_pool")(x)),
        ]
        return self.get_submodule(prefix)(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the probabilities of classes."""
        # TensorFlow pads an odd remainder below and on the right
        x = self._rectified("conv2d0", F.pad(x, (2, 3, 2, 3)))
        x = self.localresponsenorm0(self.maxpool0(x))
        x = self._rectified("conv2d2", self._rectified("conv2d1", x))
        x = self.maxpool1(self.localresponsenorm1(x))
        for block in _BLOCKS:
            if block in _POOLS:
                x = self.get_submodule(_POOLS[block])(x)
            x = self._block(block, x)
        means = F.avg_pool2d(x, (x.shape[-2], x.shape[-1])).flatten(1)
        return self.softmax2(self.softmax2_pre_activation_matmul(means))


def preprocess_lucid(images: Tensor) -> Tensor:
    """Map RGB in [0, 1] to what lucid's InceptionV1 reads: 0-255 minus 117."""
    return images * 255.0 - 117.0
