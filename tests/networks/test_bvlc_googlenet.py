from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross import Network, load_network


@pytest.mark.parametrize(
    "layer", ["inception_3a_output", "inception_3b_output", "inception_4c_output"]
)
def test_bvlc_googlenet_gives_what_caffe_gives(shared_data, layer):
    network = load_network("bvlc_googlenet", shared_data / "bvlc_googlenet.safetensors")
    reference = np.load(shared_data / "bvlc_googlenet_reference.npz")
    maps = network.read_layer(torch.from_numpy(reference["data"])[None], layer)
    assert np.abs(maps[0].numpy() - reference[layer]).max() <= 2e-3


def test_bvlc_googlenet_names_the_same_five_classes(shared_data):
    network = load_network("bvlc_googlenet", shared_data / "bvlc_googlenet.safetensors")
    reference = np.load(shared_data / "bvlc_googlenet_reference.npz")
    with torch.inference_mode():
        logits = network.module(torch.from_numpy(reference["data"])[None])[0]
    np.testing.assert_array_equal(
        logits.argsort(descending=True)[:5].numpy(), np.argsort(-reference["prob"])[:5]
    )


def test_caffe_preprocessing():
    image = torch.zeros(1, 3, 1, 1)
    image[0, 0] = 1.0  # red
    network = load_network_without_weights()
    torch.testing.assert_close(
        network.preprocess(image)[0, :, 0, 0], torch.tensor([-104.0, -117.0, 255.0 - 123.0])
    )


def load_network_without_weights():
    from sklearn_groupcross.networks._bvlc_googlenet import BVLCGoogLeNet, preprocess_caffe

    return Network(BVLCGoogLeNet(), preprocess_caffe)
