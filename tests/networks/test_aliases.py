from __future__ import annotations

import torch
from torch import nn

from sklearn_groupcross import Network, receptive_field

IMAGES = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(1))


class TwoNames(nn.Module):
    """One activation under two names, one block within two others."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 3)
        self.act = nn.ReLU()
        self.second = nn.Sequential(nn.Conv2d(4, 4, 3), self.act)
        self.act2 = self.act
        self.unused = self.act
        self.again = self.second

    def forward(self, x):
        return self.again(self.act2(self.second(self.act(self.first(x)))))


def test_of_a_module_with_several_names_each_is_read_where_it_is_called():
    module = TwoNames()
    network = Network(module)
    x, steps = IMAGES, {}
    with torch.no_grad():
        steps["act"] = x = module.act(module.first(x))
        steps["second.0"] = module.second[0](x)
        steps["second"] = steps["second.1"] = x = module.second(x)
        steps["act2"] = x
        steps["again.0"] = module.second[0](x)
        steps["again"] = steps["again.1"] = module.second(x)
    assert set(steps) < set(network.layer_names)
    for name, expected in steps.items():
        torch.testing.assert_close(network.activations(IMAGES, name), expected, rtol=0, atol=0)
    together = network.activations(IMAGES, list(steps))
    for name, expected in steps.items():
        torch.testing.assert_close(together[name], expected, rtol=0, atol=0)
    # a name that the forward pass does not use: the first call of what it names
    torch.testing.assert_close(network.activations(IMAGES, "unused"), steps["act"])
    assert receptive_field(network, "act2", 12).size == (5, 5)
    assert receptive_field(network, "again.0", 12).size == (7, 7)
    # and nothing is left of the copies
    assert module.act is module.act2 is module.second[1]
    assert module.second is module.again
    zeros = network.run_with_replacement(IMAGES, "again", torch.zeros_like)
    assert not zeros.any()
    changed = network.run_with_replacement(IMAGES, "second", lambda m: m + 1)
    torch.testing.assert_close(changed, module.second(steps["act2"] + 1))


def test_a_part_that_knows_its_owner_is_no_endless_path():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    module[1].owner = module
    assert Network(module).layer_names == ["0", "1"]
