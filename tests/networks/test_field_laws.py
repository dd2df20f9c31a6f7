"""Fields of random networks against gradients at every unit, which know nothing of operations."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import assume, event, given
from hypothesis import strategies as st
from torch import nn

from sklearn_groupcross import Network, receptive_field

SIDE = 29


class Partial(nn.Module):
    """Some channels convolved, and written back through a slice; or several, one after another."""

    def __init__(self, first, last, kernel):
        super().__init__()
        self.channels = slice(first, last)
        self.conv = nn.Conv2d(last - first, last - first, kernel, padding=kernel // 2)

    def forward(self, x):
        x = x.clone()
        x[:, self.channels] = self.conv(x[:, self.channels])[:, :, : x.shape[2], : x.shape[3]]
        return x


class Shift(nn.Module):
    """Some channels moved by slices of rows or columns; the rest stays."""

    def __init__(self, n_channels, step, axis, how):
        super().__init__()
        self.n_channels, self.step, self.axis, self.how = n_channels, step, axis, how

    def forward(self, x):
        if self.axis == 3:
            x = x.transpose(2, 3)
        step, part = self.step, x[:, : self.n_channels]
        if self.how == "written":
            moved = torch.zeros_like(x)
            moved[:, : self.n_channels, step:] = part[:, :, :-step]
            moved[:, self.n_channels :] = x[:, self.n_channels :]
        elif self.how == "joined":
            shifted = torch.cat([part.new_zeros(part[:, :, :step].shape), part[:, :, :-step]], 2)
            moved = torch.cat([shifted, x[:, self.n_channels :]], 1)
        elif self.how == "indexed":
            moved = x.clone()
            moved[:, list(range(self.n_channels))] = F.pad(part, (0, 0, step, 0))[:, :, :-step]
        else:
            moved = x.clone()
            head, tail = moved[:, : self.n_channels], moved[:, self.n_channels :]
            head.add_(F.pad(part, (0, 0, step, 0))[:, :, :-step])
            tail.mul_(2)
        return moved.transpose(2, 3) if self.axis == 3 else moved


class Residual(nn.Module):
    def __init__(self, kernel):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, kernel, padding=kernel // 2)

    def forward(self, x):
        return x + self.conv(x)


class Slice(nn.Module):
    def __init__(self, start, step):
        super().__init__()
        self.start, self.step = start, step

    def forward(self, x):
        return x[:, [2, 1, 0, 3], self.start :: self.step, :: self.step]


sizes = st.integers(1, 3)
pairs = st.tuples(sizes, sizes)
convolutions = st.builds(
    lambda kernel, stride, padding, dilation: nn.Conv2d(4, 4, kernel, stride, padding, dilation),
    pairs,
    pairs,
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    pairs,
)
pools = st.builds(
    lambda kind, kernel, stride, padding, ceil: kind(
        kernel, stride, min(padding, kernel // 2), ceil_mode=ceil
    ),
    st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]),
    st.integers(2, 4),
    sizes,
    sizes,
    st.booleans(),
)
slices = st.one_of(
    st.builds(Partial, st.integers(0, 1), st.integers(2, 4), st.sampled_from([1, 3])),
    st.builds(
        Shift,
        st.integers(1, 3),
        st.integers(1, 2),
        st.sampled_from([2, 3]),
        st.sampled_from(["written", "joined", "indexed", "added"]),
    ),
    st.builds(Slice, st.integers(0, 2), st.integers(1, 2)),
    st.builds(Residual, st.sampled_from([1, 3])),
    st.just(nn.PixelUnshuffle(2)).map(lambda part: nn.Sequential(part, nn.Conv2d(16, 4, 1))),
)
finer = st.one_of(
    st.builds(
        lambda times, mode: nn.Upsample(scale_factor=times, mode=mode),
        st.integers(2, 3),
        st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic"]),
    ),
    st.builds(
        lambda kernel, stride, padding: nn.ConvTranspose2d(
            4, 4, kernel + stride, stride, min(padding, kernel)
        ),
        st.integers(0, 2),
        st.integers(1, 3),
        st.integers(0, 1),
    ),
)


def networks(parts, n_parts):
    def build(parts):
        torch.manual_seed(0)
        return Network(nn.Sequential(nn.Conv2d(3, 4, 1), *parts), input_size=SIDE, name="random")

    return st.lists(parts, min_size=1, max_size=n_parts).map(build)


def reached(network, layer):
    """Pixels with a gradient, (2, units, pixels), for every unit of a line through the map."""
    for parameter in network.module.parameters():
        torch.nn.init.uniform_(parameter, 0.1, 1.0)
    seen = None
    for seed in range(6):  # a maximum passes its gradient to one pixel
        generator = torch.Generator().manual_seed(seed)
        image = torch.rand(1, 3, SIDE, SIDE, generator=generator, dtype=torch.float64)
        image.requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda saved: saved):
            maps = network.module(image).sum(1)[0]
        if seen is None:
            seen = [np.zeros((n, SIDE), dtype=bool) for n in reversed(maps.shape)]
        for axis, of_units in enumerate(seen):
            for unit in range(len(of_units)):
                reading = maps.select(1 - axis, unit).sum()
                (gradient,) = torch.autograd.grad(reading, image, retain_graph=True)
                of_units[unit] |= (gradient[0] != 0).any(0).any(axis).numpy()
        if not any(isinstance(part, nn.MaxPool2d) for part in network.module.modules()):
            break
    return seen


def disagreements(field, network, layer):
    """Units whose pixels are not those of the field, to the pixel; or among them, if finer."""
    for axis, of_units in enumerate(reached(network, layer)):
        assert len(of_units) == field.map_size[axis]
        for unit, seen in enumerate(of_units):
            center = field.offset[axis] + unit * field.stride[axis]
            first = math.ceil(center - (field.size[axis] - 1) / 2 - 1e-6)
            last = math.floor(center + (field.size[axis] - 1) / 2 + 1e-6)
            pixels = np.flatnonzero(seen)
            if not len(pixels):
                fits = first < 0 or last >= SIDE  # padding alone
            elif field.repeats[axis] == 1:
                fits = pixels[0] == max(first, 0) or (first < 0 < pixels[0])
                fits &= pixels[-1] == min(last, SIDE - 1) or (pixels[-1] < SIDE - 1 < last)
            else:
                fits = first <= pixels[0] and pixels[-1] <= last
            if not fits:
                yield axis, unit, (first, last), pixels


def _double(network):
    network.module.double()
    return network


def _runs(network):
    try:
        maps = network.module(torch.rand(1, 3, SIDE, SIDE))
    except (RuntimeError, IndexError):
        return False
    return min(maps.shape[-2:]) >= 4


@given(networks(st.one_of(convolutions, pools, slices), 4))
def test_fields_of_convolutions_pools_and_slices(network):
    assume(_runs(network))
    layer = str(len(network.module) - 1)
    try:
        field = receptive_field(network, layer)
    except ValueError:
        # where a slice cuts off the border, or a shift pushes it out, and padding fills it up again
        event("refused")
        assert any(isinstance(part, Slice | Shift) for part in network.module)
        return
    event(field.derivation)
    assert list(disagreements(field, _double(network), layer)) == []


@given(networks(st.one_of(finer, finer, convolutions, slices), 3))
def test_fields_behind_what_makes_maps_finer(network):
    assume(_runs(network) and network.module(torch.rand(1, 3, SIDE, SIDE)).shape[-1] < 100)
    layer = str(len(network.module) - 1)
    try:
        field = receptive_field(network, layer)
    except ValueError:
        event("refused")
        return
    event(field.derivation)
    assert list(disagreements(field, _double(network), layer)) == []
