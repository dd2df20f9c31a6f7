from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Dihedral, GroupCrosscoder
from sklearn_groupcross.faithfulness import feature_maps
from tests.tolerances import assert_same_codes, rounding


@pytest.fixture(scope="module")
def crosscoder(small_dataset):
    return GroupCrosscoder(
        group=Dihedral(4), n_features=10, activation="topk", k=3, max_epochs=3, random_state=0
    ).fit(small_dataset.as_array())


def test_every_unit_is_encoded(crosscoder, small_network, smooth_images):
    found = feature_maps(crosscoder, small_network, smooth_images, batch_size=4)
    images = torch.from_numpy(found.images).permute(0, 3, 1, 2)
    activations = small_network.activations(images, "relu").permute(0, 2, 3, 1).numpy()
    units = activations.reshape(-1, 12)
    codes = crosscoder.encode(units)
    rows, columns = found.maps.shape[2:]
    assert found.maps.shape == (6, 10, *activations.shape[1:3])
    # two convolutions and the encoder, in other batches: sums of 75, 72 and 12 products
    size = (np.abs(units) @ np.abs(crosscoder.encoder_).T).max()
    atol = rounding(np.float32, 75 + 72 + 12, size)
    assert_same_codes(found.maps.transpose(0, 2, 3, 1).reshape(-1, 10), codes, atol)
    assert (rows, columns) == activations.shape[1:3]


def test_some_features_are_those_of_all(crosscoder, small_network, smooth_images):
    everything = feature_maps(crosscoder, small_network, smooth_images)
    some = feature_maps(crosscoder, small_network, smooth_images, features=[7, 2])
    assert some.features.tolist() == [7, 2]
    atol = rounding(np.float32, 75 + 72 + 12, everything.maps.max())
    np.testing.assert_allclose(some.maps, everything.maps[:, [7, 2]], rtol=0, atol=atol)
    sparse = crosscoder.set_params(sparse_output=True)
    try:
        again = feature_maps(sparse, small_network, smooth_images, features=2)
    finally:
        crosscoder.set_params(sparse_output=False)
    np.testing.assert_allclose(again.maps, some.maps[:, 1:], rtol=0, atol=atol)


def test_the_extent_puts_units_on_their_pixels(crosscoder, small_network, small_dataset):
    found = feature_maps(crosscoder, small_network, [np.zeros((48, 48, 3), np.uint8)])
    left, right, bottom, top = found.extent
    field = small_dataset.field
    n = found.maps.shape[-1]
    centers = left + (right - left) * (np.arange(n) + 0.5) / n
    np.testing.assert_allclose(centers, field.offset[0] + np.arange(n) * field.stride[0])
    assert bottom > top  # rows run downwards


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": [10]}, "between 0 and 9"),
        ({"features": [0.5]}, "integers"),
        ({"features": []}, "between 0 and 9"),
        ({"source_size": 20}, "at least the network's input size, 48 px"),
        ({"layer": "pool"}, "reads activations of 12 channels; layer 'pool'.* has 8"),
        ({"batch_size": 0}, "at least 1"),
    ],
)
def test_bad_options_are_refused(crosscoder, small_network, smooth_images, options, message):
    with pytest.raises(ValueError, match=message):
        feature_maps(crosscoder, small_network, smooth_images, **options)


def test_a_crosscoder_that_reads_orbits_is_refused(small_network, small_dataset, smooth_images):
    reads_all = GroupCrosscoder(
        group=Dihedral(4), n_features=4, encoder_input="orbit", max_epochs=1, random_state=0
    ).fit(small_dataset.as_array())
    with pytest.raises(ValueError, match="encoder_input"):
        feature_maps(reads_all, small_network, smooth_images)


def test_a_pipeline_is_refused_by_name(crosscoder, small_network, smooth_images):
    with pytest.raises(TypeError, match="is a Pipeline; activations"):
        feature_maps(make_pipeline(crosscoder), small_network, smooth_images)


def test_networks_may_be_named(crosscoder, small_network, smooth_images):
    with pytest.raises(TypeError, match="name that load_network knows; got a ndarray"):
        feature_maps(crosscoder, smooth_images, smooth_images)
    with pytest.raises(ValueError, match="layer 'relu3' of network 'bundled' has 96"):
        feature_maps(crosscoder, "bundled", smooth_images)
