from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sklearn_groupcross import Network, OrbitDataset
from sklearn_groupcross.groups import Trivial
from tests.networks.modules import Of, conv, field_of, geometry


def _partial(x, stem, inner):
    x = stem(x)
    x[:, :4] = inner(x[:, :4])
    return x


def _by_index(x, stem, inner):
    x = stem(x)
    moved = torch.zeros_like(x)
    moved[:, [0, 3]] = x[:, [1, 2]]
    moved[:, 4:] = inner(x)[:, 4:]
    return moved


def _in_parts(x, stem):
    x = stem(x)
    head, tail = x.chunk(2, 1)
    head.add_(F.pad(tail, (1, 1, 1, 1))[:, :, 2:, 2:])
    return x


def _two_views(x, stem, inner):
    x = stem(x)
    seen = x[:, :4]
    x.add_(inner(x))  # what was taken before shows it
    return seen


@pytest.mark.parametrize(
    ("field", "offset", "size"),
    [
        (lambda: field_of(_partial, conv(), nn.Conv2d(4, 4, 3, padding=1)), 0, 7),
        (lambda: field_of(_by_index, conv(), conv(1, 2, 8, 5)), 0, 11),
        (lambda: field_of(_in_parts, conv()), 1, 5),
        (lambda: field_of(_two_views, conv(), conv(1, 1, 8)), 0, 7),
        (lambda: field_of(lambda x, c: torch.stack([c(x), c(x)], -1).mean(-1), conv()), 0, 3),
        (
            lambda: field_of(
                lambda x, c: (
                    torch.slice_scatter(c(x), c(x)[:, :2, 1:], 1, 0, 2)
                    if False
                    else torch.slice_scatter(c(x), F.pad(c(x)[:, :2, :-1], (0, 0, 1, 0)), 1, 0, 2)
                ),
                conv(),
            ),
            (0, -1),
            (3, 5),
        ),
    ],
)
def test_writes_to_parts_reach_the_whole(field, offset, size):
    found = field()
    offset, size = (v if isinstance(v, tuple) else (v, v) for v in (offset, size))
    assert geometry(found) == ((2, 2), offset, size)
    assert found.derivation == "derived"


def test_exact_readings_of_a_partial_convolution_are_those_of_the_map():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=4), Of(_partial, nn.Identity(), nn.Conv2d(4, 4, 3, padding=1))
    )
    network = Network(module, input_size=32)
    image = np.random.default_rng(0).random((46, 46, 3))
    orbits = OrbitDataset(
        [image], network=network, layer="1.out", group=Trivial(), sampling="grid",
        interpolation="exact",
    )  # fmt: skip
    values, units = orbits.as_array()[:, 0], orbits.field.to_units(orbits.positions).round().long()
    edge = (orbits.source_size - 32) // 2
    cut = orbits.images.load(0, orbits.source_size)[None, :, edge : edge + 32, edge : edge + 32]
    maps = network.activations(cut, "1.out")[0]
    inner = ((units > 1) & (units < 6)).all(1)
    expected = maps[:, units[inner, 1], units[inner, 0]].T.numpy()
    assert inner.sum() > 3
    np.testing.assert_allclose(values[inner.numpy()], expected, rtol=1e-4, atol=1e-5)
