from __future__ import annotations

import copy
import gc
import types
import weakref

import torch
from torch import nn

from sklearn_groupcross import Network, receptive_field
from tests.networks.modules import Of, conv


def test_what_was_measured_holds_for_those_weights():
    module = Of(lambda x, c: c(x).repeat_interleave(2, 2).repeat_interleave(2, 3), conv())
    weight, whole = module.parts[0].weight, copy.deepcopy(module.state_dict())

    def size():
        return receptive_field(Network(module, input_size=32), "out").size

    with torch.no_grad():
        weight.zero_()
        weight[:, :, 1, 1] = 1
    assert size() == (2, 2)
    weight.data[:, :, 1] = 1  # as torch does not count it
    assert size() == (4, 2)
    module.load_state_dict(whole)
    assert size() == (4, 4)


def test_what_was_measured_keeps_no_module_alive():
    for preprocess in (lambda module: lambda x: x + 0 * module[0].bias.sum(), lambda m: m.scaled):
        module = nn.Sequential(conv())
        module.scaled = types.MethodType(lambda self, x: x / len(self), module)
        receptive_field(Network(module, preprocess(module), input_size=32), "0")
        alive = weakref.ref(module)
        del module
        gc.collect()
        assert alive() is None
