from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.model_selection import GroupKFold
from torch.utils.data import DataLoader

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    InceptionOrbitDataset,
    Network,
    OrbitDataset,
    Trivial,
)
from sklearn_groupcross.actions import ImageAction
from sklearn_groupcross.orbits._image_items import ImageFile
from tests.notebook import read_small
from tests.tolerances import assert_near


def test_items_and_the_array_agree(small_dataset):
    array = small_dataset.as_array()
    assert array.shape == (6 * 40, 8, 12)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array[40:80], small_dataset[1])
    assert small_dataset[-1].equal(small_dataset[5])
    for index in (6, -7):
        with pytest.raises(IndexError, match=f"Image {index} is out of range: there are 6 images"):
            small_dataset[index]


def test_a_dataset_says_what_it_is(small_dataset):
    assert repr(small_dataset) == (
        "<OrbitDataset: 6 images, 240 orbits of 'small' at relu, ImageAction(Dihedral(4))>"
    )


def test_a_notebook_shows_what_it_is(small_dataset):
    words, _ = read_small(small_dataset._repr_html_())
    for fact in ("images 6", "orbits 240", "network small", "layers relu", "channels 12"):
        assert fact in words
    assert "group Dihedral(4), 8 elements" in words
    assert f"input {small_dataset.field.input_size} pixels" in words


def test_it_is_a_torch_dataset(small_dataset):
    batch = next(iter(DataLoader(small_dataset, batch_size=2)))
    assert batch.shape == (2, 40, 8, 12)


def test_positions_are_continuous_within_the_disk_and_belong_to_their_image(small_dataset):
    positions = small_dataset.positions
    assert positions.shape == (240, 2)
    distance = np.linalg.norm(positions, axis=1)
    assert distance.max() <= small_dataset.radius
    # uniform in the disk: half of them within 1/√2 of the radius
    assert np.mean(distance < small_dataset.radius / 2**0.5) == pytest.approx(0.5, abs=0.1)
    assert len(np.unique(positions % 1)) > 400
    assert np.bincount(small_dataset.image_ids).tolist() == [40] * 6


def test_positions_of_an_image_do_not_depend_on_the_others(
    small_dataset, small_network, smooth_images
):
    fewer = OrbitDataset(
        smooth_images[:2], network=small_network, group=Dihedral(4), n_positions=40
    )
    np.testing.assert_array_equal(fewer.as_array(), small_dataset.as_array()[:80])


def test_another_seed_draws_other_positions(small_network, smooth_images):
    first, second = (
        OrbitDataset(smooth_images, network=small_network, group=Trivial(), random_state=seed)
        for seed in (0, 1)
    )
    assert not np.allclose(first.positions, second.positions)


def test_batches_do_not_change_the_orbits(small_dataset, small_network, smooth_images):
    by_three = OrbitDataset(
        smooth_images, network=small_network, group=Dihedral(4), n_positions=40, batch_size=3
    )
    # convolutions of 75 and 72 products, and an interpolation
    assert_near(by_three[0], small_dataset[0], 75 + 72 + 4)


def test_a_memory_map_holds_the_same(small_dataset, tmp_path):
    path = tmp_path / "orbits.npy"
    mapped = small_dataset.as_array(path)
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    np.testing.assert_array_equal(mapped, small_dataset.as_array())
    assert os.listdir(tmp_path) == ["orbits.npy"]


def test_nothing_half_written_stays_behind(small_network, tmp_path):
    images = [np.zeros((80, 80, 3), np.uint8)] * 2
    dataset = OrbitDataset(images, network=small_network, group=Trivial(), n_positions=3)
    dataset.images._items[1] = ImageFile(tmp_path / "absent.jpg")
    with pytest.raises(ValueError, match="absent.jpg cannot be decoded"):
        dataset.as_array(tmp_path / "orbits.npy")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_an_error_and_not_a_crash(small_dataset, tmp_path, monkeypatch):
    """Writing to a map on a full disk would kill the process: its space is claimed before."""

    def no_space(descriptor, offset, length):
        assert length == small_dataset.n_samples * 8 * 12 * 4 + 128
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_space)
    with pytest.raises(OSError, match=r"No space left on device.*orbits\.npy"):
        small_dataset.as_array(tmp_path / "orbits.npy")
    assert os.listdir(tmp_path) == []


def test_a_bare_module_will_do(small_dataset, small_network, smooth_images):
    bare = OrbitDataset(
        smooth_images,
        network=small_network.module,
        layer="relu",
        input_size=48,
        group=Dihedral(4),
        n_positions=40,
    )
    np.testing.assert_array_equal(bare[0], small_dataset[0])


@pytest.mark.parametrize("h", range(8))
def test_the_orbit_of_a_transformed_image_is_a_permuted_orbit(small_dataset, h):
    """O_{h·x}[g] = O_x[g h] exactly on the lattice; the left permutation is far off."""
    group = small_dataset.group
    image = small_dataset.images.load(0, small_dataset.source_size)
    positions = small_dataset.positions_of(0)
    action = ImageAction(group)
    moved_image = action.transform(image[None])[0, h]
    moved_positions = action.transform_positions(positions)[:, h]
    orbit = small_dataset.read_orbits(image, positions)
    moved = small_dataset.read_orbits(moved_image, moved_positions)

    def relative_difference(permutation):
        difference = moved - orbit[:, torch.from_numpy(permutation.copy())]
        return float(difference.norm() / orbit.norm())

    assert relative_difference(group.right_translation(h)) < 1e-4
    if group.mirrored[h]:
        assert relative_difference(group.cayley_table[h]) > 0.1


def test_the_law_holds_on_real_weights(shared_data):
    """Exact for h of the square's group; off the lattice turns are interpolated, which costs some.

    The wrong permutation, for a mirrored h, costs far more.
    """
    group = Dihedral(16)
    # corners that a turn brings in lie outside what the network sees of the central disk
    action = ImageAction(group, mask=True)
    dataset = InceptionOrbitDataset(
        sorted((shared_data / "images").glob("*.jpg"))[:1],
        network="bvlc_googlenet",
        weights=shared_data / "bvlc_googlenet.safetensors",
        action=action,
        n_positions=40,
        radius=30,
    )
    assert dataset.layer == "inception_3b_output"
    image = dataset.images.load(0, 320)
    positions = dataset.positions_of(0)
    views, places = action.transform(image[None])[0], action.transform_positions(positions)
    orbit = dataset.read_orbits(image, positions)
    for h in range(1, group.order, 3):
        moved = dataset.read_orbits(views[h], places[:, h])

        def difference(permutation, moved=moved):
            expected = orbit[:, torch.from_numpy(permutation.copy())]
            return (moved - expected).norm(dim=2) / expected.norm(dim=2)

        right = difference(group.right_translation(h))
        if 4 * group.turns[h] % group.n_turns == 0:
            # rounding is of what was summed, of which little may be left in a weak block
            norms = orbit.norm(dim=2)[:, group.right_translation(h).copy()]
            assert (right * norms / norms.max()).max() < 1e-4
        else:
            assert right.median() < 0.2
        if group.mirrored[h] and group.turns[h] % 8:
            assert difference(group.cayley_table[h]).median() > 0.5


def test_block_norms_agree_when_positions_are_continuous(shared_data):
    """Read on the grid, the identity block alone would be larger than the rest."""
    dataset = InceptionOrbitDataset(
        sorted((shared_data / "images").glob("*.jpg"))[::60],
        network="bvlc_googlenet",
        weights=shared_data / "bvlc_googlenet.safetensors",
        group=Dihedral(3),
        n_positions=60,
    )
    norms = np.linalg.norm(dataset.as_array(), axis=2).mean(axis=0)
    assert np.abs(norms / norms.mean() - 1).max() < 0.05


def test_image_ids_keep_images_together(small_dataset):
    ids = small_dataset.image_ids
    array = small_dataset.as_array().reshape(len(ids), -1)
    for train, test in GroupKFold(3).split(array, groups=ids):
        assert not set(ids[train]) & set(ids[test])
        GroupCrosscoder(group=Dihedral(4), n_features=4, max_epochs=1, random_state=0).fit(
            array[train]
        ).score(array[test])


def test_patches_show_what_a_sample_looks_at(small_dataset, smooth_images):
    patches = small_dataset.patches([0, 41], size=9, elements=[0, 2])
    assert patches.shape == (2, 2, 9, 9, 3)
    image = small_dataset.images.load(1, small_dataset.source_size)
    column, row = small_dataset.positions[41] + (small_dataset.source_size - 1) / 2
    middle = image[:, round(row), round(column)].numpy()
    np.testing.assert_allclose(patches[1, 0, 4, 4], middle, atol=0.1)
    # turned by half about its own centre
    np.testing.assert_allclose(patches[1, 1], patches[1, 0, ::-1, ::-1], atol=1e-5)


def test_patches_of_samples_from_the_end_and_of_none(small_dataset):
    last = small_dataset.n_samples - 1
    np.testing.assert_array_equal(
        small_dataset.patches([-1], size=5), small_dataset.patches([last], size=5)
    )
    for sample in (last + 1, -last - 2):
        with pytest.raises(IndexError, match=f"Sample {sample} is out of range"):
            small_dataset.patches([sample])


def test_damaged_images_are_found_before_the_work(small_network, smooth_images, tmp_path):
    Image.fromarray(smooth_images[0]).save(tmp_path / "good.png")
    (tmp_path / "text.jpg").write_text("no image", encoding="utf-8")
    dataset = OrbitDataset(tmp_path, network=small_network, group=Trivial())
    with pytest.raises(ValueError, match=r"^\S*text.jpg is not an image"):
        dataset.check_images()
    Image.new("RGB", (1, 1)).save(tmp_path / "a dot.png")
    dataset = OrbitDataset(tmp_path, network=small_network, group=Trivial())
    with pytest.raises(ValueError, match="2 of 3 images cannot be used") as refusal:
        dataset.check_images()
    _, dot, text = str(refusal.value).splitlines()
    assert dot.startswith(f"{tmp_path / 'a dot.png'} has 1 x 1 pixels")
    assert text.startswith(f"{tmp_path / 'text.jpg'} is not an image")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "conv3"}, "no layer 'conv3'"),
        ({"n_positions": 0}, "at least 1"),
        ({"radius": 100}, "between 0 and half the input"),
        ({"device": "tpu9"}, "Unknown device"),
    ],
)
def test_bad_options_are_refused(small_network, smooth_images, options, message):
    with pytest.raises(ValueError, match=message):
        OrbitDataset(smooth_images, network=small_network, group=Trivial(), **options)


def test_a_network_of_another_kind_is_refused(smooth_images):
    with pytest.raises(TypeError, match="name that load_network knows; got a ndarray"):
        OrbitDataset(smooth_images, network=smooth_images, group=Dihedral(4))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_orbits_on_cuda_are_those_of_the_cpu(small_network, small_dataset, smooth_images):
    on_cuda = OrbitDataset(
        smooth_images, network=small_network, group=Dihedral(4), n_positions=40, device="cuda"
    )
    try:
        np.testing.assert_allclose(on_cuda.as_array(), small_dataset.as_array(), atol=1e-2)
    finally:
        small_network.to("cpu")


@pytest.mark.parametrize("sampling", ["disk", "energy"])
def test_what_is_not_finite_is_refused(smooth_images, sampling):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1))
    network = Network(module, input_size=32, default_layer="0")
    dataset = OrbitDataset(
        smooth_images, network=network, group=Dihedral(4), sampling=sampling, n_positions=3
    )
    with torch.no_grad():
        module[0].bias[2] = torch.nan
    with pytest.raises(ValueError, match=r"The stack of image 1 \(.*NaN"):
        dataset.read_image(1)
