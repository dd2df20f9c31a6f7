from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, Network, Trivial
from sklearn_groupcross.groups import Symmetric
from sklearn_groupcross.visualization import visualize_features
from sklearn_groupcross.visualization._visualize import default_elements
from tests.visualization.test_lucent import states

FEW = {"n_steps": 12, "features": [3, 7], "device": "cpu"}


@pytest.fixture(scope="module")
def found(small_crosscoder, small_network):
    return visualize_features(small_crosscoder, small_network, n_controls=2, **FEW)


def fitted(network, images=None, **options):
    """A crosscoder of random weights over a layer's channels."""
    n_channels = options.pop("n_channels", 12)
    orbits = np.random.default_rng(0).random((40, 4, n_channels), dtype=np.float32)
    return GroupCrosscoder(Cyclic(4), 8, max_epochs=1, random_state=0, **options).fit(orbits)


def test_shapes_words_and_what_is_reached(found, small_crosscoder, small_network):
    size = found.images.shape[2]
    assert found.images.shape == (2, 3, size, size, 3)
    assert found.control_images.shape == (2, 3, size, size, 3)
    assert found.images.dtype == found.control_images.dtype == np.float32
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    assert found.values.shape == found.control_values.shape == (2, 3)
    assert found.features.tolist() == [3, 7]
    assert found.elements.tolist() == [0, 1]
    assert found.words == ("encoder", "block of identity", "block of turn 90°")
    assert found.patch_values is None
    assert (np.abs(found.values[:, 1:]) <= 1).all()


def test_pictures_excite_what_they_are_of(small_crosscoder, small_network):
    n = np.arange(24)
    usable = [i for i in n if small_crosscoder.encoder_[i].any()][:6]
    one = visualize_features(
        small_crosscoder,
        small_network,
        features=usable,
        elements=[],
        n_steps=60,
        n_controls=0,
        device="cpu",
    )
    size = one.images.shape[2]
    random_patches = np.random.default_rng(0).random((len(usable), size, size, 3))
    other = visualize_features(
        small_crosscoder,
        small_network,
        features=usable,
        elements=[],
        n_steps=1,
        n_controls=0,
        patches=one.images[::-1, 0],
    )
    again = visualize_features(
        small_crosscoder,
        small_network,
        features=usable,
        elements=[],
        n_steps=1,
        n_controls=0,
        patches=random_patches,
    )
    # more than pictures of another feature, and than noise
    assert (one.values > other.patch_values).mean() > 0.8
    assert (one.values > again.patch_values).all()


def test_given_patches_are_measured_as_pictures_are(found, small_crosscoder, small_network):
    again = visualize_features(
        small_crosscoder, small_network, n_controls=0, patches=found.images[:, 0], **FEW
    )
    np.testing.assert_allclose(again.patch_values[:, 0], found.values[:, 0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(again.images, found.images, rtol=0, atol=1e-4)


def test_the_same_seed_gives_the_same_bits_and_global_generators_stay(
    found, small_crosscoder, small_network
):
    before = states()
    again = visualize_features(small_crosscoder, small_network, n_controls=2, **FEW)
    assert states() == before
    np.testing.assert_array_equal(again.images, found.images)
    np.testing.assert_array_equal(again.control_images, found.control_images)
    np.testing.assert_array_equal(again.values, found.values)
    other = visualize_features(small_crosscoder, small_network, n_controls=2, random_state=1, **FEW)
    assert np.abs(other.images - found.images).max() > 0.05
    assert np.abs(other.control_values - found.control_values).max() > 0.01


def test_batches_do_not_matter(found, small_crosscoder, small_network):
    one = visualize_features(small_crosscoder, small_network, n_controls=2, batch_size=5, **FEW)
    np.testing.assert_allclose(one.images, found.images, rtol=0, atol=1e-3)
    alone = visualize_features(
        small_crosscoder, small_network, features=7, elements=[1], n_steps=12, n_controls=0
    )
    np.testing.assert_allclose(alone.images[0], found.images[1, [0, 2]], rtol=0, atol=1e-3)


def test_the_network_stays_what_it_was(small_crosscoder, small_network):
    module = small_network.module
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    module.train()
    module.conv1.weight.requires_grad_(False)
    try:
        visualize_features(small_crosscoder, small_network, n_controls=0, **FEW)
        assert module.training
        assert not module.conv1.weight.requires_grad
        assert module.conv2.weight.requires_grad
    finally:
        module.eval()
        module.conv1.weight.requires_grad_(True)
    assert all(parameter.grad is None for parameter in module.parameters())
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, weights[name])


@pytest.mark.parametrize("n_channels", [1, 5])
def test_images_of_any_channels(n_channels):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(n_channels, 12, 7, stride=2), torch.nn.ReLU())
    network = Network(module, input_size=41, n_channels=n_channels, default_layer="1")
    one = visualize_features(fitted(network), network, features=[0], elements=[], n_steps=5)
    assert one.images.shape == (1, 1, 7, 7, n_channels)
    assert one.words == ("encoder",)


def test_data_far_from_zero(small_network):
    orbits = 1e6 + np.random.default_rng(0).random((40, 4, 12))
    far = GroupCrosscoder(Cyclic(4), 8, max_epochs=1, random_state=0).fit(orbits)
    assert far.intercept_.dtype == np.float64
    one = visualize_features(far, small_network, features=[0], n_steps=2)
    assert np.isfinite(one.values).all()


@pytest.mark.parametrize(
    ("group", "elements"),
    [
        (Dihedral(16), [0, 4]),
        (Cyclic(6), [0, 2]),
        (Cyclic(2), [0]),
        (Trivial(), [0]),
        (Symmetric(3), [0]),
    ],
)
def test_default_elements(group, elements):
    assert default_elements(group) == elements


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": [24]}, "features lie between 0 and 23"),
        ({"features": []}, "at least one"),
        ({"features": [0.5]}, "features are integers"),
        ({"elements": [8]}, "elements lie between 0 and 7"),
        ({"layer": "pool"}, "reads activations of 12 channels; layer 'pool'.* has 8"),
        ({"batch_size": 0}, "batch_size is at least 1"),
        ({"n_steps": 0}, "n_steps is at least 1"),
        ({"n_controls": -1}, "n_controls is at least 0"),
        ({"learning_rate": 0}, "a finite number above 0"),
        ({"learning_rate": np.inf}, "a finite number above 0"),
        ({"patches": np.full((2, 35, 35, 3), np.nan, np.float32)}, "or other values"),
        ({"patches": np.zeros((2, 5, 5, 3), np.float32)}, "patches are one image a feature"),
        ({"patches": np.zeros((2, 15, 15, 3), np.uint8)}, "floats in"),
    ],
)
def test_bad_options_are_refused(small_crosscoder, small_network, options, message):
    with pytest.raises(ValueError, match=message):
        visualize_features(small_crosscoder, small_network, **{**FEW, **options})


def test_what_does_not_read_activations_is_refused(small_crosscoder, small_network):
    with pytest.raises(ValueError, match="encoder_input"):
        visualize_features(fitted(None, encoder_input="orbit"), small_network, features=[0])
    with pytest.raises(TypeError, match="is a Pipeline"):
        visualize_features(make_pipeline(small_crosscoder), small_network, features=[0])


def close(one, other):
    """The same pictures but for rounding, which steps of a fixed size carry on."""
    return np.abs(one.images - other.images).mean() < 0.02


def test_auto_is_what_there_is(found, small_crosscoder, small_network):
    options = {**FEW, "n_controls": 2, "device": "auto"}
    try:
        one = visualize_features(small_crosscoder, small_network, **options)
    finally:
        small_network.to("cpu")
    assert close(one, found)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_cuda_makes_about_the_same(small_crosscoder, small_network):
    try:
        state = torch.cuda.get_rng_state()
        options = {**FEW, "device": "cuda"}
        there = visualize_features(small_crosscoder, small_network, **options)
        assert torch.equal(torch.cuda.get_rng_state(), state)
    finally:
        small_network.to("cpu")
    # also on a host with CUDA, which lucent would use
    here = visualize_features(small_crosscoder, small_network, **FEW)
    assert small_network.device.type == "cpu"
    assert close(there, here)
