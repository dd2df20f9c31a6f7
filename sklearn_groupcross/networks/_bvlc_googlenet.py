"""The BVLC GoogLeNet: InceptionV1 as it was trained in Caffe on ImageNet."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._normalization import local_response_norm

# Mean of the training images in Caffe's order: blue, green, red, on the scale 0-255.
_MEAN_BGR = (104.0, 117.0, 123.0)

# name: input, 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection (Szegedy et al. 2014, table 1)
_BLOCKS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


class _Concatenate(nn.Module):
    """A module of its own, so that a block's output has a name to be read by."""

    def forward(self, branches: list[Tensor]) -> Tensor:
        return torch.cat(branches, dim=1)


class CaffeLRN(nn.Module):
    """Local response normalisation over five channels, ``x / (1 + α/5 Σ x²)^¾`` with α = 1e-4."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (n, channels, height, width)."""
        return local_response_norm(x, size=5, alpha=1e-4, beta=0.75, k=1.0)


def _relu(x: Tensor) -> Tensor:
    # the sum that it replaces is needed by nobody, except for gradients
    return F.relu(x, inplace=not torch.is_grad_enabled())


class BVLCGoogLeNet(nn.Module):
    """GoogLeNet with the layer names of Caffe, ``/`` written ``_``.

    Every inception block can be read at ``inception_3a_output`` ... ``inception_5b_output``.
    Input: BGR, 0-255, minus the mean (`preprocess_caffe`), (n, 3, height, width); output: logits
    (n, 1000).
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1_7x7_s2 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.conv2_3x3_reduce = nn.Conv2d(64, 64, 1)
        self.conv2_3x3 = nn.Conv2d(64, 192, 3, padding=1)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.pool1_norm1 = CaffeLRN()
        self.conv2_norm2 = CaffeLRN()
        for block, (n_in, n1, n3_reduce, n3, n5_reduce, n5, n_pool) in _BLOCKS.items():
            prefix = f"inception_{block}"
            self.add_module(f"{prefix}_1x1", nn.Conv2d(n_in, n1, 1))
            self.add_module(f"{prefix}_3x3_reduce", nn.Conv2d(n_in, n3_reduce, 1))
            self.add_module(f"{prefix}_3x3", nn.Conv2d(n3_reduce, n3, 3, padding=1))
            self.add_module(f"{prefix}_5x5_reduce", nn.Conv2d(n_in, n5_reduce, 1))
            self.add_module(f"{prefix}_5x5", nn.Conv2d(n5_reduce, n5, 5, padding=2))
            self.add_module(f"{prefix}_pool_proj", nn.Conv2d(n_in, n_pool, 1))
            self.add_module(f"{prefix}_output", _Concatenate())
        self.loss3_classifier = nn.Linear(1024, 1000)

    def _block(self, block: str, x: Tensor) -> Tensor:
        def conv(name: str, inputs: Tensor) -> Tensor:
            return _relu(self.get_submodule(f"inception_{block}_{name}")(inputs))

        branches = [
            conv("1x1", x),
            conv("3x3", conv("3x3_reduce", x)),
            conv("5x5", conv("5x5_reduce", x)),
            conv("pool_proj", F.max_pool2d(x, 3, stride=1, padding=1)),
        ]
        return self.get_submodule(f"inception_{block}_output")(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Compute logits."""
        x = self.pool1_norm1(self.pool(_relu(self.conv1_7x7_s2(x))))
        x = _relu(self.conv2_3x3(_relu(self.conv2_3x3_reduce(x))))
        x = self.pool(self.conv2_norm2(x))
        for block in _BLOCKS:
            x = self._block(block, self.pool(x) if block in ("4a", "5a") else x)
        return self.loss3_classifier(x.mean(dim=(-2, -1)))


def preprocess_caffe(images: Tensor) -> Tensor:
    """Map RGB in [0, 1] to what Caffe's networks read: BGR, 0-255, minus the mean."""
    mean = images.new_tensor(_MEAN_BGR)[:, None, None]
    return images.flip(-3) * 255.0 - mean
