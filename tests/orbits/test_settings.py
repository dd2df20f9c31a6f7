from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.actions import ImageAction
from sklearn_groupcross.orbits._settings import (
    default_source_size,
    network_digest,
    resolve_action,
    resolve_batch_size,
    resolve_layers,
)


def test_an_action_or_the_group_of_one():
    action = ImageAction(Dihedral(4), mask=True)
    assert resolve_action(None, action) is resolve_action("dihedral:4", action) is action
    assert resolve_action("dihedral:4", None).group == Dihedral(4)
    with pytest.raises(ValueError, match="Give a group, such as"):
        resolve_action(None, None)
    with pytest.raises(ValueError, match=r"one of Dihedral\(4\), and group is Cyclic\(4\)"):
        resolve_action(Cyclic(4), action)
    with pytest.raises(TypeError, match="lacks transform, transform_positions"):
        resolve_action(None, SimpleNamespace(group=Cyclic(4)))


@given(st.integers(16, 400), st.sampled_from(["cyclic:1", "cyclic:4", "dihedral:16"]))
def test_sources_leave_room_for_any_turn_and_keep_the_parity(input_size, group):
    turning, masked = ImageAction(group), ImageAction(group, mask=True)
    size = default_source_size(input_size, turning)
    assert size >= max(turning.source_size(input_size), input_size)
    assert (size - input_size) % 2 == 0
    assert default_source_size(input_size, masked) == masked.source_size(input_size) <= size


def test_batches():
    assert resolve_batch_size(None, torch.device("cpu")) == 8
    assert resolve_batch_size(None, torch.device("cuda")) == 64
    assert resolve_batch_size(3, torch.device("cuda")) == 3
    with pytest.raises(ValueError, match="batch_size is at least 1"):
        resolve_batch_size(0, torch.device("cpu"))


def test_layers_are_names(small_network):
    assert resolve_layers(small_network, None) == ("relu",)
    assert resolve_layers(small_network, ["pool", "relu"]) == ("pool", "relu")
    for layer, error, message in (
        ([], ValueError, "at least one layer"),
        (["pool", "pool"], ValueError, "'pool' is named 2 times"),
        ("puul", ValueError, "pool"),
        (small_network.module.pool, TypeError, "layer is the name of a layer"),
        (3, TypeError, "layer is the name of a layer"),
    ):
        with pytest.raises(error, match=message):
            resolve_layers(small_network, layer)


def test_the_digest_is_of_structure_and_weights(small_network):
    digest = network_digest(small_network)
    same = copy.deepcopy(small_network)
    assert network_digest(same) == digest
    with torch.no_grad():
        same.module.conv2.bias[3] += 1e-7
    other = copy.deepcopy(small_network)
    other.module.pool.ceil_mode = False
    half = copy.deepcopy(small_network)
    half.module.bfloat16()
    assert len({digest, *map(network_digest, (same, other, half))}) == 4
