"""Small modules and networks that several tests read."""

from __future__ import annotations

import torch
import torchvision.models
from torch import nn

from sklearn_groupcross import Network, receptive_field


class Of(nn.Module):
    """A function of an image and a few modules, as a layer."""

    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts, self.out = function, nn.ModuleList(parts), nn.Identity()

    def forward(self, x):
        return self.out(self.function(x, *self.parts))


def field_of(function, *parts, side=32, **options):
    torch.manual_seed(0)
    return receptive_field(Network(Of(function, *parts), input_size=side, **options), "out")


def conv(stride=2, padding=1, n_in=3, kernel=3):
    return nn.Conv2d(n_in, 8, kernel, stride=stride, padding=padding)


def geometry(field):
    return field.stride, field.offset, field.size


class Patches(nn.Module):
    """A transformer that describes itself as those of timm do; images need not be square."""

    pretrained_cfg = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.1), "input_size": (3, 48, 48)}

    def __init__(self, n_prefix=3):
        super().__init__()
        self.num_prefix_tokens = n_prefix
        self.embed = nn.Conv2d(3, 12, 8, stride=8)
        self.tokens = nn.Identity()
        self.prefix = nn.Parameter(torch.zeros(1, n_prefix, 12))
        self.qkv = nn.Linear(12, 36)
        self.mixed = nn.Identity()
        self.block = nn.Identity()
        self.pair = nn.LSTM(12, 4, batch_first=True)

    def forward(self, x):
        x = self.tokens(self.embed(x).flatten(2).transpose(1, 2))
        x = torch.cat([self.prefix.expand(len(x), -1, -1), x], dim=1)
        q, k, v = self.qkv(x).reshape(len(x), -1, 3, 2, 6).permute(2, 0, 3, 1, 4).unbind(0)
        attended = (q @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        x = self.block(x + self.mixed(attended.transpose(1, 2).reshape(x.shape)))
        return self.pair(x)


def torchvision_network(name, **options):
    return Network(getattr(torchvision.models, name)(weights=None), name=name, **options)


class Unsteady(nn.Module):
    """Whatever behaves differently in training, and some parts called twice or by two names."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.drop = nn.Dropout(0.5)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU()
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), self.act)
        self.head = nn.Linear(4, 5)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.drop(self.conv(x))))
        x = nn.functional.dropout(self.block(x), training=self.training)
        return self.head(x.mean((-2, -1)))
