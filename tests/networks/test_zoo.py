from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from sklearn_groupcross import load_network
from sklearn_groupcross.networks import resolve_network


def test_networks_modules_and_names_are_resolved(small_network):
    assert resolve_network(small_network) is small_network
    assert resolve_network(small_network.module).module is small_network.module
    assert resolve_network("bundled").name == "bundled"
    with pytest.raises(ValueError, match="Unknown network 'resnet'"):
        resolve_network("resnet")
    with pytest.raises(TypeError, match="name that load_network knows; got a int"):
        resolve_network(7)


def test_torchvision_googlenet_from_a_file(tmp_path):
    from torchvision.models import googlenet

    module = googlenet(weights=None, init_weights=False, aux_logits=False).eval()
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    network = load_network("googlenet", tmp_path / "weights.pth")
    maps = network.activations(torch.rand(1, 3, 64, 64))
    assert maps.shape == (1, 480, 8, 8)


def test_inceptionv1_from_a_file(tmp_path):
    from sklearn_groupcross.networks._inceptionv1 import InceptionV1

    save_file(InceptionV1().state_dict(), tmp_path / "weights.safetensors")
    network = load_network("inceptionv1", tmp_path / "weights.safetensors")
    maps = network.activations(torch.rand(1, 3, 64, 64))
    assert network.default_layer == "mixed3b"
    assert maps.shape == (1, 480, 8, 8)


def test_unknown_networks_are_refused():
    with pytest.raises(ValueError, match="the known ones are bundled, inceptionv1"):
        load_network("resnet")


def test_bvlc_needs_its_weights():
    with pytest.raises(ValueError, match="needs a weights file"):
        load_network("bvlc_googlenet")


@pytest.mark.parametrize("name", ["googlenet", "inceptionv1"])
def test_known_networks_run_to_their_ends(name, tmp_path):
    if name == "googlenet":
        from torchvision.models import googlenet

        module = googlenet(weights=None, init_weights=False, aux_logits=False)
    else:
        from sklearn_groupcross.networks._inceptionv1 import InceptionV1

        module = InceptionV1()
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    network = load_network(name, tmp_path / "weights.safetensors")
    output = network.run(torch.rand(1, 3, 224, 224))
    with torch.inference_mode():
        expected = module.eval()(network.preprocess(torch.zeros(1, 3, 224, 224)))
    assert output.shape == expected.shape
