"""Exact readings: every element at one and the same unit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross import Dihedral, InceptionOrbitDataset, OrbitDataset
from sklearn_groupcross.actions import ImageAction
from tests.tolerances import assert_near

SQUARE = Dihedral(4)


def symmetric_image(image, h):
    """An image that h fixes: the mean over the powers of h, h of the square's group."""
    views = ImageAction(SQUARE).transform(image[None])[0]
    powers = [0]
    while (following := SQUARE.multiply(powers[-1], h)) != 0:
        powers.append(following)
    return views[powers].mean(dim=0)


def relative(found, expected):
    """To the largest block: what rounding is of, though little may be left of it in others."""
    return float((found - expected).norm(dim=2).max() / expected.norm(dim=2).max())


@pytest.mark.parametrize("h", range(1, 8))
def test_orbits_of_an_image_that_h_fixes(small_network, smooth_images, h):
    """O_{h·p}[g] = O_p[g h] at every position, for a group that is finer than the square's."""
    group = Dihedral(8)
    in_group = int(2 * SQUARE.turns[h] + 8 * SQUARE.mirrored[h])
    dataset = OrbitDataset(
        smooth_images, network=small_network, group=group, interpolation="exact", n_positions=20
    )
    image = symmetric_image(dataset.images.load(0, dataset.source_size), h)
    positions = dataset.positions_of(0)
    moved = dataset.action.transform_positions(positions)[:, in_group]
    at_p, at_hp = dataset.read_orbits(image, positions), dataset.read_orbits(image, moved)
    assert relative(at_hp, at_p[:, torch.tensor(group.right_translation(in_group))]) < 1e-4
    wrong = torch.tensor(group.right_translation(group.multiply(in_group, 1)))
    assert relative(at_hp, at_p[:, wrong]) > 1e-2


@pytest.mark.parametrize("h", [2, 5])
def test_orbits_of_an_image_that_h_fixes_on_real_weights(shared_data, h):
    group = Dihedral(8)
    in_group = int(2 * SQUARE.turns[h] + 8 * SQUARE.mirrored[h])
    dataset = InceptionOrbitDataset(
        sorted((shared_data / "images").glob("*.jpg"))[3:4],
        network="bvlc_googlenet",
        weights=shared_data / "bvlc_googlenet.safetensors",
        group=group,
        interpolation="exact",
        n_positions=4,
    )
    image = symmetric_image(dataset.images.load(0, dataset.source_size), h)
    positions = dataset.positions_of(0)
    moved = dataset.action.transform_positions(positions)[:, in_group]
    at_p, at_hp = dataset.read_orbits(image, positions), dataset.read_orbits(image, moved)
    assert relative(at_hp, at_p[:, torch.tensor(group.right_translation(in_group))]) < 1e-4


def test_at_a_unit_the_identity_block_is_the_map_itself(small_network, smooth_images):
    """A patch of one receptive field gives what the whole image gives at that unit."""
    dataset = OrbitDataset(
        smooth_images,
        network=small_network,
        group=SQUARE,
        interpolation="exact",
        sampling="grid",
        radius=8,
    )
    image, positions = dataset.images.load(1, dataset.source_size), dataset.positions_of(1)
    exact = dataset.read_orbits(image, positions)
    # on a unit, bilinear interpolation of the map is the map's value
    by_maps = dataset.read_orbits(image, positions, "bilinear")
    assert_near(exact[:, 0], by_maps[:, 0], 75 + 72 + 4)


def test_energy_chooses_by_maps_and_reads_exactly(small_network, smooth_images):
    options = {"network": small_network, "group": SQUARE, "n_positions": 5, "radius": 8}
    by_maps, exact = (
        OrbitDataset(smooth_images, sampling="energy", interpolation=way, **options)
        for way in ("bilinear", "exact")
    )
    np.testing.assert_array_equal(by_maps.positions, exact.positions)
    image = exact.images.load(0, exact.source_size)
    again = exact.read_orbits(image, torch.from_numpy(exact.positions[:5]), "exact")
    # patches in other batches: convolutions of 75 and 72 products
    assert_near(exact[0], again, 75 + 72)


def test_a_mask_and_exact_readings_do_not_go_together(small_network, smooth_images):
    action = ImageAction(SQUARE, mask=True)
    with pytest.raises(ValueError, match="mask lies about the image centre"):
        OrbitDataset(smooth_images, network=small_network, action=action, interpolation="exact")


@pytest.mark.parametrize("sampling", ["disk", "center"])
def test_only_what_is_looked_at_is_computed(small_network, smooth_images, sampling, monkeypatch):
    dataset = OrbitDataset(
        smooth_images, network=small_network, group=Dihedral(8), sampling=sampling, device="cpu"
    )
    image = dataset.images.load(0, dataset.source_size)
    inner, outer = torch.zeros(1, 2), torch.full((1, 2), float(dataset.field.input_size // 3))
    windows = []
    read = small_network.activations_within

    def note(images, wanted):
        windows.extend(wanted.values())
        return read(images, wanted)

    monkeypatch.setattr(dataset.network, "activations_within", note)
    few = dataset.read_orbits(image, inner)
    among_all = dataset.read_orbits(image, torch.cat([inner, outer]))
    torch.testing.assert_close(few[0], among_all[0])
    sizes = {len(window.columns) for window in windows}
    assert max(sizes) == dataset.field.map_size[0] > min(sizes)
    if sampling == "center":
        assert min(sizes) <= 2
    assert dataset.read_orbits(image, torch.empty(0, 2)).shape == (0, *few.shape[1:])
