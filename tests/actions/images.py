"""Images to test laws on."""

from __future__ import annotations

import torch


def random_images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def smooth_images(size, seed=0):
    coarse = random_images(1, 3, 7, 7, seed=seed)
    return torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")
