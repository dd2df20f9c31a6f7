"""Local response normalisation over neighbouring channels, in one pass over the map."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from .._compiled import compiled
from .._parallel import sharing

# Powers that are made of square roots.
_FAST_POWERS = (0.5, 0.75)


class LocalResponseNorm(nn.LocalResponseNorm):
    """`torch.nn.LocalResponseNorm`, the same to rounding, several times faster on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (n, channels, height, width)."""
        return local_response_norm(x, self.size, self.alpha, self.beta, self.k)


def local_response_norm(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Normalise maps (n, channels, height, width) as `torch.nn.functional.local_response_norm`.

    Those of float32 on the CPU whose channels come last in memory are read once, the numbers of one
    place staying in the first cache. Elsewhere, and for gradients, the sliding sum is a convolution
    of size one with a band of weights, and the power is made of square roots where it can be.
    """
    if has_torch_function_unary(x):  # one operation to those who watch them
        return handle_torch_function(local_response_norm, (x,), x, size, alpha, beta, k)
    has_gradients = torch.is_grad_enabled() and x.requires_grad
    is_plain = x.dtype == torch.float32 and x.device.type == "cpu" and not has_gradients
    is_laid_out = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    if is_plain and is_laid_out and beta in _FAST_POWERS:
        return _in_one_pass(x, size, alpha, beta, k)
    total = F.conv2d(x * x, *_band(x, size, alpha / size, k))
    if beta not in _FAST_POWERS:
        return x * total.pow(-beta)
    root = total.rsqrt()
    return x * (root if beta == 0.5 else root * root.sqrt())


def _band(x: Tensor, size: int, weight: float, k: float) -> tuple[Tensor, Tensor]:
    """Kernel and bias of the convolution that sums squares over `size` channels."""
    channel = torch.arange(x.shape[1], dtype=torch.int64, device=x.device)
    behind = channel - channel[:, None] + size // 2
    near = ((behind >= 0) & (behind < size)).to(x.dtype)
    return (weight * near)[:, :, None, None], torch.full_like(near[0], k)


# An operation of torch's, so that what follows operations sees it.
@torch.library.custom_op(
    "sklearn_groupcross::local_response_norm",
    mutates_args=(),
    device_types="cpu",
    schema="(Tensor x, int size, float alpha, float beta, float k) -> Tensor",
)
def _in_one_pass(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    result = torch.empty_like(x)
    places, normalized = (t.permute(0, 2, 3, 1).flatten(0, 2).numpy() for t in (x, result))
    settings = size, np.float32(alpha / size), beta == 0.75, np.float32(k)
    with sharing() as run:
        run(_normalize, len(places), places, *settings, normalized)
    return result


@_in_one_pass.register_fake
def _shape_of_result(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """What `torch.compile` takes it for."""
    return torch.empty_like(x)


@compiled
def _normalize(
    maps: Any,
    size: int,
    weight: Any,
    with_fourth_root: bool,
    k: Any,
    out: Any,
    first: int,
    last: int,
) -> None:
    """Divide rows of maps (n, channels) by the power of their sliding sums of squares."""
    n = maps.shape[1]
    squares = np.zeros(n + size - 1, np.float32)
    total = np.empty(n, np.float32)
    own = squares[size // 2 : size // 2 + n]
    for row in range(first, last):
        values, result = maps[row], out[row]
        for i in range(n):
            own[i] = weight * values[i] * values[i]
            total[i] = k
        for shift in range(size):
            part = squares[shift : shift + n]
            for i in range(n):
                total[i] += part[i]
        if with_fourth_root:
            for i in range(n):
                root = np.float32(1.0) / np.sqrt(total[i])
                result[i] = values[i] * root * np.sqrt(root)
        else:
            for i in range(n):
                result[i] = values[i] / np.sqrt(total[i])
