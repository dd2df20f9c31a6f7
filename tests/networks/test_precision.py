"""What precision is chosen where that is left to the device, and which choice is warned of."""

import pytest
import torch
from torch import nn

from sklearn_groupcross import Cyclic, Network, OrbitDataset
from sklearn_groupcross.networks import _precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(("has_bfloat16", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_auto_goes_by_what_the_processor_multiplies(has_bfloat16, chosen, monkeypatch):
    monkeypatch.setattr(_precision, "multiplies_bfloat16", lambda: has_bfloat16)
    network = Network(nn.Sequential(nn.Conv2d(3, 4, 3)), precision="auto", input_size=16)
    assert network.precision_on("cpu") == chosen
    assert network.settled(CPU).precision == chosen
    assert network.precision == "auto"
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator())
    expected = Network(network.module, precision=chosen).activations(images, "0")
    assert torch.equal(network.activations(images, "0"), expected)
    settled = Network(network.module, precision="tf32")
    assert settled.settled(CPU) is settled


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_what_was_chosen_is_written_down(has_bfloat16, monkeypatch):
    monkeypatch.setattr(_precision, "multiplies_bfloat16", lambda: has_bfloat16)
    chosen = "bfloat16" if has_bfloat16 else "float32"
    network = Network(nn.Sequential(nn.Conv2d(3, 4, 3)), precision="auto", input_size=16)
    images = [torch.rand(24, 24, 3).numpy()]
    dataset = OrbitDataset(images, network=network, layer="0", group=Cyclic(4), device="cpu")
    assert dataset.metadata()["precision"] == chosen
    assert chosen in dataset._repr_html_()


def test_slow_products_are_warned_of(monkeypatch):
    network = Network(nn.Conv2d(3, 4, 3), precision="bfloat16")
    monkeypatch.setattr(_precision, "multiplies_bfloat16", lambda: True)
    network.settled("cpu")
    monkeypatch.setattr(_precision, "multiplies_bfloat16", lambda: False)
    with pytest.warns(RuntimeWarning, match="ten times as long .* 'auto' takes bfloat16 only"):
        assert network.settled("cpu") is network
    network.precision = "float32"
    network.settled("cpu")
