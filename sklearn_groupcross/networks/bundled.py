"""The small convolutional network that comes with the package.

It is trained by :mod:`sklearn_groupcross.networks.train_bundled` on synthetic shapes only, and is
there so that `groupcross demo`, the examples and the tests have line and curve detectors to look at
without a download.
"""

from __future__ import annotations

import math
from importlib import resources

import torch
import torch.nn.functional as F
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from .._ambient import made_plain, own_state
from .shapes import KINDS, PERIODS

__all__ = [
    "POSE_BINS",
    "BundledNet",
    "kind_logits",
    "load_bundled",
    "pose_targets",
    "preprocess_bundled",
]

_BIN = math.pi / 8
POSE_BINS = tuple(max(1, round(PERIODS[kind] / _BIN)) for kind in KINDS)
"""Angle bins of 22.5° over each kind's own period: 8 for lines, 16 for curves, 1 for rings."""

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
        return F.conv2d(x, self.kernel, stride=2, padding=1, groups=x.shape[1])


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
            Logits over kind and angle bin, the bins of one kind side by side, kinds in the order of
            `KINDS`.
        """
        return self.classify(self.features(images))


def pose_targets(kinds: Tensor, angles: Tensor) -> Tensor:
    """Distributions over poses, as targets of a cross-entropy.

    Parameters
    ----------
    kinds : Tensor of shape (n,)
        Index into `KINDS`.
    angles : Tensor of shape (n,)
        Radians, counter-clockwise.

    Returns
    -------
    Tensor of shape (n, 70)
        Rows sum to 1. An angle between two bins is shared between them in proportion, so that there
        is no edge of a bin at which the target jumps.
    """
    bins = torch.tensor(POSE_BINS, dtype=torch.int64, device=kinds.device)
    first = bins.cumsum(0) - bins
    place = angles / _BIN
    low = place.floor().long()
    share = (place - low).to(angles.dtype)
    n_bins, start = bins[kinds], first[kinds]
    targets = torch.zeros(len(kinds), sum(POSE_BINS), dtype=angles.dtype, device=kinds.device)
    targets.scatter_add_(1, (start + low % n_bins)[:, None], (1 - share)[:, None])
    targets.scatter_add_(1, (start + (low + 1) % n_bins)[:, None], share[:, None])
    return targets


def kind_logits(poses: Tensor) -> Tensor:
    """Sum out the angle.

    Parameters
    ----------
    poses : Tensor of shape (n, 70)
        Pose logits.

    Returns
    -------
    Tensor of shape (n, 8)
        Logits over `KINDS`: the log of each kind's summed odds.
    """
    return torch.stack([block.logsumexp(1) for block in poses.split(POSE_BINS, 1)], 1)


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
