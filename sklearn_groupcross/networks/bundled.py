"""The small convolutional network that comes with the package.

It is trained on drawn shapes only (``tools/train_bundled.py``), and is there so that `groupcross
demo`, the examples and the tests have line and curve detectors to look at without a download.
"""

from __future__ import annotations

import math
from importlib import resources

import torch
import torch.nn.functional as F
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from .._ambient import made_plain, own_state

__all__ = [
    "BIN",
    "POSE_BINS",
    "SHAPE_PERIODS",
    "BundledNet",
    "load_bundled",
    "preprocess_bundled",
]

SHAPE_PERIODS: dict[str, float] = {
    "line": math.pi,
    "curve": 2 * math.pi,
    "corner": 2 * math.pi,
    "ring": 0.0,
    "grating": math.pi,
    "checks": math.pi / 2,
    "dots": 0.0,
    "edge": 2 * math.pi,
}
"""Shapes that the network names, each with the smallest turn in radians after which it looks the
same; 0 where the angle means nothing."""

BIN = math.pi / 8
POSE_BINS = tuple(max(1, round(period / BIN)) for period in SHAPE_PERIODS.values())
"""Angle bins of 22.5° over each shape's own period: 8 for lines, 16 for curves, 1 for rings."""

_MEAN, _STD = 0.5, 0.25


def preprocess_bundled(images: Tensor) -> Tensor:
    """Normalise images for :class:`BundledNet`.

    Parameters
    ----------
    images : Tensor of shape (n, 3, height, width)
        RGB in [0, 1].

    Returns
    -------
    Tensor of shape (n, 3, height, width)
        `(images - 0.5) / 0.25`: one mean and one scale for all channels, so mid-grey is 0, which is
        also what the convolutions pad with.
    """
    return (images - _MEAN) / _STD


class BlurPool(nn.Module):
    """Halve the resolution after a binomial blur.

    A maximum, or plain subsampling, jumps when an edge crosses the pixel grid; a blurred activation
    turns smoothly with the image. Output unit `k` is centred on input unit `2k`.

    Parameters
    ----------
    n_channels : int
        Number of channels, each blurred by itself.
    """

    kernel: Tensor

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float32) / 4
        # not stored with the weights: it never changes
        kernel = torch.outer(row, row).expand(n_channels, 1, 3, 3).contiguous()
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Blur and subsample, (n, channels, h, w) to (n, channels, ceil(h / 2), ceil(w / 2))."""
        return F.conv2d(x, self.kernel, stride=2, padding=1, groups=len(self.kernel))


class BundledNet(nn.Module):
    """Four convolutions that name a shape and its angle.

    Layers, in order: `conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 pool3 conv4 relu4 head`. Hook
    the `relu` layers to see activations after the nonlinearity; `default_layer` is `relu3`. Besides
    these, `local_head` reads one unit column of `relu3`; training uses it, `forward` does not.

    ======= ======== ====== =============== ========
    layer   channels stride receptive field offset
    ======= ======== ====== =============== ========
    relu1   16       1 px   5 px            0 px
    relu2   48       2 px   15 px           0 px
    relu3   96       4 px   35 px           0 px
    relu4   96       8 px   59 px           0 px
    ======= ======== ====== =============== ========

    Every kernel is odd and padded by half its width, so unit `k` is centred on pixel `stride * k`
    whatever the size of the image.
    """

    default_layer = "relu3"

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 5, padding=2)
        self.relu1 = nn.ReLU()
        self.pool1 = BlurPool(16)
        self.conv2 = nn.Conv2d(16, 48, 5, padding=2)
        self.relu2 = nn.ReLU()
        self.pool2 = BlurPool(48)
        self.conv3 = nn.Conv2d(48, 96, 5, padding=2)
        self.relu3 = nn.ReLU()
        self.pool3 = BlurPool(96)
        self.conv4 = nn.Conv2d(96, 96, 3, padding=1)
        self.relu4 = nn.ReLU()
        self.head = nn.Linear(96, sum(POSE_BINS))
        self.local_head = nn.Conv2d(96, sum(POSE_BINS), 1)

    def features(self, images: Tensor) -> Tensor:
        """Activations of the default layer.

        Parameters
        ----------
        images : Tensor of shape (n, 3, height, width)
            Preprocessed images.

        Returns
        -------
        Tensor of shape (n, 96, ceil(height / 4), ceil(width / 4))
            Output of `relu3`.
        """
        x = self.pool1(self.relu1(self.conv1(images)))
        x = self.pool2(self.relu2(self.conv2(x)))
        return self.relu3(self.conv3(x))

    def classify(self, features: Tensor) -> Tensor:
        """Pose logits of whole images, (n, 70), from activations of the default layer."""
        x = self.relu4(self.conv4(self.pool3(features)))
        return self.head(x.mean((-2, -1)))

    def forward(self, images: Tensor) -> Tensor:
        """Score every pose.

        Parameters
        ----------
        images : Tensor of shape (n, 3, height, width)
            Preprocessed images, see :func:`preprocess_bundled`.

        Returns
        -------
        Tensor of shape (n, 70)
            Logits over shape and angle bin, the bins of one shape side by side, shapes in the order
            of `SHAPE_PERIODS`.
        """
        return self.classify(self.features(images))


@own_state()
def load_bundled() -> BundledNet:
    """Load the network with the weights that come with the package.

    Returns
    -------
    BundledNet
        In evaluation mode, on the CPU, in float32, without gradients, whatever torch's defaults.

    Examples
    --------
    >>> net = load_bundled()
    >>> net.default_layer
    'relu3'
    """
    weights = resources.files("sklearn_groupcross.networks") / "weights" / "bundled.safetensors"
    net = made_plain(BundledNet)
    net.load_state_dict(load_tensors(weights.read_bytes()))
    return net.eval().requires_grad_(False)
