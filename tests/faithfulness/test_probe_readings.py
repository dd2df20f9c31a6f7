from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from sklearn_groupcross import Cyclic
from sklearn_groupcross.faithfulness import (
    PROBE_CLASSES,
    Probe,
    read_probes,
    shape_probes,
    untrained,
)
from sklearn_groupcross.faithfulness import _probe_readings as module
from sklearn_groupcross.networks import Network
from sklearn_groupcross.orbits import Arc, Disk, Edge, probe_orbits

PROBES = shape_probes([8, 14], [3], [70], [(1.0, 0.5), (0.2, 0.6)])


def test_probes_of_all_classes_in_all_shades():
    assert [probe.kind for probe in PROBES[:7]] == ["edge", "line", *["curve"] * 4, "corner"]
    assert [probe.shape for probe in PROBES[:7]] == [probe.shape for probe in PROBES[7:]]
    assert {(p.foreground, p.background) for p in PROBES} == {(1.0, 0.5), (0.2, 0.6)}
    assert {probe.kind for probe in PROBES} == set(PROBE_CLASSES)
    assert PROBES[2].shape == Disk(8)
    assert not any(
        isinstance(p.shape, Arc) for p in shape_probes([3], [4], []) if p.kind == "curve"
    )


def test_a_setting_is_a_shape_in_two_shades():
    settings = [probe.setting for probe in PROBES]
    assert settings[2] == settings[4]  # disks of both radii
    assert settings[2] != settings[3]  # a disk and a stroke
    assert not set(settings[:7]) & set(settings[7:])


def test_readings_come_in_the_order_of_the_probes(network, monkeypatch):
    def draw(shapes, _, group, *, layer, n_positions, foreground, background, **__):
        assert (group, layer, n_positions) == (Cyclic(4), "relu3", 2)
        numbers = [[hash((shape, foreground, background)) % 1009] for shape in shapes]
        return np.array(numbers, dtype=np.float32)[:, :, None, None]

    monkeypatch.setattr(module, "probe_orbits", draw)
    mixed = [PROBES[8], PROBES[0], PROBES[2], PROBES[7]]  # shades that come, go and come back
    read = read_probes(network, probes=mixed, n_turns=4, n_positions=2)
    assert read.probes == tuple(mixed)
    expected = [hash((p.shape, p.foreground, p.background)) % 1009 for p in mixed]
    np.testing.assert_array_equal(read.activations.ravel(), expected)


def test_readings_are_those_of_probe_orbits(network):
    read = read_probes(network, probes=PROBES[2:3], n_turns=4, n_positions=1, random_state=3)
    alone = probe_orbits([Disk(8)], network, Cyclic(4), n_positions=1, random_state=3)
    np.testing.assert_array_equal(read.activations, alone)


def test_probes_are_as_large_as_the_field(network, monkeypatch):
    drawn = []

    def draw(shapes, *_, **__):
        drawn.extend(shapes)
        return np.zeros((len(shapes), 1, 1, 1), dtype=np.float32)

    monkeypatch.setattr(module, "probe_orbits", draw)
    radii = {}
    for layer in ("relu2", "relu3"):
        drawn.clear()
        assert len(read_probes(network, layer).probes) == len(drawn) == 152
        side = max(module.receptive_field(network, layer).size)
        radii[layer] = sorted({shape.radius for shape in drawn if isinstance(shape, Disk)})
        assert radii[layer][-1] == pytest.approx(0.4 * side)
    assert all(small < large for small, large in zip(*radii.values(), strict=True))
    assert all(a < b for a, b in pairwise(radii["relu3"]))


def test_an_untrained_network_has_the_same_numbers_in_another_order(network):
    before = {name: value.clone() for name, value in network.module.state_dict().items()}
    other = untrained(network, 0)
    again, different = untrained(network, 0), untrained(network, 1)
    for (name, trained), random, same, another in zip(
        network.module.named_parameters(),
        other.module.parameters(),
        again.module.parameters(),
        different.module.parameters(),
        strict=True,
    ):
        assert torch.equal(trained, before[name])
        assert random.shape == trained.shape
        assert torch.equal(random.flatten().sort().values, trained.flatten().sort().values)
        assert torch.equal(random, same)
        if trained.numel() > 10:
            assert not torch.equal(random, trained)
            assert not torch.equal(random, another)
    image = torch.full((1, 3, 96, 96), 0.5)
    assert other.activations(image).shape == network.activations(image).shape


def test_an_untrained_network_is_laid_out_as_the_trained_one():
    """In another layout its maps took twice as long."""
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    for channels_last in (False, True):
        trained = Network(module, channels_last=channels_last)
        random = untrained(trained)
        assert random.module[0].weight.stride() == trained.module[0].weight.stride()
        one, other = (each.activations(images, "1") for each in (trained, random))
        assert one.stride() == other.stride()


def test_bad_input(network):
    with pytest.raises(ValueError, match="one of curve, edge, line, corner; got 'blob'"):
        Probe("blob", Edge(), 1.0, 0.5)
    with pytest.raises(ValueError, match="No probes to read"):
        read_probes(network, probes=[])
    with pytest.raises(ValueError, match="n_turns"):
        read_probes(network, probes=PROBES, n_turns=0)
