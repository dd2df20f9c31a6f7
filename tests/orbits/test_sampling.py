"""Where orbits are read: what each sampling promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross import Dihedral, Network, OrbitDataset, Trivial, receptive_field
from sklearn_groupcross.actions import ImageAction
from sklearn_groupcross.orbits._sampling import choose_by_energy, grid_positions
from tests.tolerances import assert_near


def dataset(network, images, **options):
    options = {"group": Dihedral(4), "n_positions": 30, **options}
    return OrbitDataset(images, network=network, **options)


def test_the_grid_lies_on_the_units(small_network):
    field = receptive_field(small_network, "relu")
    units = field.to_units(grid_positions(field, 15))
    assert torch.allclose(units, units.round(), atol=1e-5)
    assert len(units.unique(dim=0)) == len(units) > 9
    assert grid_positions(field, 15).norm(dim=1).max() <= 15


def test_without_a_number_the_grid_is_whole(small_network, smooth_images):
    whole = dataset(small_network, smooth_images, sampling="grid", n_positions=None)
    n_units = len(grid_positions(whole.field, whole.radius))
    assert whole.n_positions_per_image.tolist() == [n_units] * 6
    some = dataset(small_network, smooth_images, sampling="grid", n_positions=7)
    first = some.positions_of(0)
    assert len(first) == len(first.unique(dim=0)) == 7
    everything = {tuple(p) for p in whole.positions_of(0).tolist()}
    assert {tuple(p) for p in first.tolist()} < everything


def test_the_center_is_one_position(small_network, smooth_images):
    center = dataset(small_network, smooth_images, sampling="center", n_positions=None)
    assert center.as_array().shape == (6, 8, 12)
    assert not center.positions.any()
    with pytest.raises(ValueError, match="at most 1 position an image"):
        dataset(small_network, smooth_images, sampling="center", n_positions=2)


def test_a_budget_of_all_images_is_shared_out(small_network, smooth_images):
    fewer = dataset(small_network, smooth_images, max_samples=20)
    assert fewer.n_positions_per_image.tolist() == [4, 4, 3, 3, 3, 3]
    orbits, ids = fewer.as_array(), fewer.image_ids
    assert len(orbits) == len(ids) == len(fewer.positions) == fewer.n_samples == 20
    np.testing.assert_array_equal(orbits[ids == 2], fewer[2])
    assert fewer.patches([4, 19], size=9).shape == (2, 1, 9, 9, 3)
    with pytest.warns(
        UserWarning, match="fewer than the 6 images: the last 2 give no orbits"
    ) as said:
        few = dataset(small_network, smooth_images, max_samples=4)
    assert said[0].filename == __file__
    assert few.n_positions_per_image.tolist() == [1, 1, 1, 1, 0, 0]
    assert few.as_array().shape == (4, 8, 12)


def test_energy_prefers_strong_orbits(small_network, smooth_images):
    # half of the image is flat: its orbits are weak
    images = smooth_images.copy()
    images[:, :, :35] = 127
    uniform, energy = (
        dataset(small_network, images, sampling=sampling, n_positions=100)
        for sampling in ("disk", "energy")
    )
    norms = [np.linalg.norm(of.as_array(), axis=2).mean() for of in (energy, uniform)]
    assert norms[0] > 1.01 * norms[1]
    # positions are those at which the orbits were read
    again = energy.read_orbits(
        energy.images.load(2, energy.source_size), torch.from_numpy(energy.positions[200:300])
    )
    # convolutions of 75 and 72 products, and an interpolation, of images in other batches
    assert_near(again, energy.as_array()[200:300], 75 + 72 + 4)


def test_energy_draws_by_the_mean_over_all_blocks():
    """Strong in one block, or in all: drawn as often as the mean norm says."""
    orbits = torch.zeros(3, 4, 2)
    orbits[0, 0] = 4 / 2**0.5  # norm 4 in the identity block alone: mean 1
    orbits[1] = 3 / 2**0.5  # norm 3 in every block
    rng = np.random.default_rng(0)
    drawn = np.bincount([int(choose_by_energy(orbits, 1, rng)) for _ in range(2000)], minlength=3)
    assert drawn[2] == 0
    assert drawn[1] / drawn[0] == pytest.approx(3, rel=0.25)
    assert choose_by_energy(orbits, 3, rng).tolist() == [0, 1, 2]


@pytest.mark.parametrize("sampling", ["disk", "energy", "grid"])
def test_the_same_seed_draws_the_same(small_network, smooth_images, sampling):
    first, same, other = (
        dataset(small_network, smooth_images, sampling=sampling, random_state=seed).positions
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_a_mask_leaves_the_disk_whole(small_network, smooth_images):
    """Within the default radius no reading sees what the mask hides, under any turn."""
    field = receptive_field(small_network, "relu")
    action = ImageAction(Dihedral(8), mask=True, mask_softness=4)
    masked = OrbitDataset(smooth_images, network=small_network, action=action)
    assert masked.source_size == 48
    # a reading looks at the four units around it
    reach = (field.size[0] - 1) / 2 + field.stride[0]
    assert masked.radius == pytest.approx(24 - 4 - 2**0.5 * reach)
    hidden = 24 - 4  # pixels from the centre
    image = masked.images.load(0, 48)
    u = torch.arange(48) - 23.5
    outside = (u[:, None] ** 2 + u[None] ** 2).sqrt() > hidden
    painted = torch.where(outside, 1 - image, image)
    positions = masked.positions_of(0)
    same = [masked.read_orbits(x, positions)[:, ::4] for x in (image, painted)]
    torch.testing.assert_close(same[0], same[1], atol=1e-5, rtol=0)
    beyond = torch.tensor([[masked.radius + 6, 0.0]])
    read = [masked.read_orbits(x, beyond) for x in (image, painted)]
    assert not torch.allclose(*read, atol=1e-3)


def test_a_mask_smaller_than_the_field_is_refused(small_network, smooth_images):
    field = receptive_field(small_network, "relu")
    options = {"group": None, "action": ImageAction(Dihedral(4), mask=True, mask_radius=10)}
    with pytest.raises(
        ValueError, match=rf"shows 8 px about .* fields of {field.size[0]} px do not fit"
    ):
        dataset(small_network, smooth_images, **options)
    # who names a radius means it, and the centre is the centre
    assert dataset(small_network, smooth_images, radius=3, **options).radius == 3
    center = dataset(small_network, smooth_images, sampling="center", n_positions=1, **options)
    assert not center.positions.any()


@pytest.mark.parametrize("interpolation", ["bilinear", "exact"])
def test_fields_as_large_as_the_image_warn_of_padding(smooth_images, interpolation):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 9, padding=20, dilation=5))
    network = Network(module, input_size=33, default_layer="0")
    options = {"n_positions": 3, "interpolation": interpolation}
    with pytest.warns(UserWarning, match=r"41 px wide, do not fit into images of 33 px.*padding"):
        deep = dataset(network, smooth_images, **options)
    dataset(network, smooth_images, radius=deep.radius, **options)  # no warning: it is meant
    dataset(network, smooth_images, input_size=99, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"random_state": None},
        {"random_state": 1.5},
        {"random_state": np.random.RandomState(0)},
        {"n_positions": 2.5},
        {"n_positions": True},
        {"max_samples": 7.7},
        {"input_size": 48.0},
        {"batch_size": "8"},
    ],
)
def test_whole_numbers_are_whole(small_network, smooth_images, options):
    (name,) = options
    with pytest.raises(TypeError, match=f"{name} is a whole number; got"):
        dataset(small_network, smooth_images, **options)


def test_whole_numbers_of_numpy_will_do(small_network, smooth_images, tmp_path):
    numbers = {"random_state": np.int64(3), "n_positions": np.int32(2), "input_size": np.int64(48)}
    store = dataset(small_network, smooth_images, **numbers).extract(tmp_path / "store")
    assert store.metadata["random_state"] == 3


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        ([], ValueError, "Name at least one layer"),
        (["relu", "relu"], ValueError, "'relu' is named 2 times"),
        (3, TypeError, "is the name of a layer, such as 'relu'"),
        (torch.nn.ReLU(), TypeError, r"is the name of a layer.*got ReLU\(\)"),
        ([torch.nn.ReLU()], TypeError, r"given by its name.*got ReLU\(\)"),
    ],
)
def test_layers_are_named(small_network, smooth_images, layer, error, message):
    with pytest.raises(error, match=message):
        dataset(small_network, smooth_images, layer=layer)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"random_state": -1}, "random_state is at least 0"),
        ({"input_size": -3}, "input_size is at least 1"),
        ({"sampling": "everywhere"}, "one of disk, energy, center, grid"),
        ({"n_positions": 0}, "n_positions is at least 1"),
        ({"max_samples": 0}, "max_samples is at least 1"),
        ({"sampling": "grid", "n_positions": 10_000}, "at most"),
        ({"sampling": "grid", "n_positions": None, "radius": 0}, "No unit of the layer"),
        ({"interpolation": "nearest"}, "one of bilinear, exact"),
        ({"interpolation": "exact", "radius": 24}, "beyond the image"),
        ({"group": None}, "Give a group"),
        ({"action": ImageAction(Dihedral(2))}, "is one of Dihedral"),
    ],
)
def test_bad_options_are_refused(small_network, smooth_images, options, message):
    with pytest.raises(ValueError, match=message):
        dataset(small_network, smooth_images, **options)


def test_an_action_without_positions_is_refused(small_network, smooth_images):
    class Turns:
        group = Trivial()

        def transform(self, images, size=None):
            return images[:, None]

    with pytest.raises(
        TypeError,
        match="lacks transform_positions, transform_about, source_size, visible_radius.*stack_orb",
    ):
        OrbitDataset(smooth_images, network=small_network, action=Turns())
