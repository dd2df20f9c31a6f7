from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross import Dihedral, OrbitDataset
from sklearn_groupcross.orbits import activations_around, patches_around


def test_cells_are_the_units_that_look_there(small_dataset):
    field = small_dataset.field
    # about a unit, in steps of the units' distance, every cell is a unit
    unit = np.array([n // 2 for n in field.map_size])
    position = field.to_positions(unit.astype(np.float32)).numpy()
    size = 3 * round(field.stride[0])
    assert size == 3 * field.stride[0]
    for element in range(8):
        (around,) = activations_around(
            small_dataset, [2], [position], [element], size=size, n_cells=3
        )
        image = small_dataset.images.load(2, small_dataset.source_size)[None]
        view = small_dataset.action.transform(image, field.input_size)[:, element]
        (maps,) = small_dataset.network.activations(view).numpy()
        at = small_dataset.action.transform_positions(torch_pair(position))[element]
        column, row = field.to_units(at).round().int().tolist()
        expected = maps[:, row - 1 : row + 2, column - 1 : column + 2]
        np.testing.assert_allclose(around, np.moveaxis(expected, 0, -1), atol=1e-5)


def torch_pair(position):
    return torch.as_tensor(position, dtype=torch.float32, device="cpu")


def test_beyond_the_map_nothing_is_known(small_dataset):
    size = 4 * small_dataset.field.input_size
    (around,) = activations_around(
        small_dataset, [0], [np.zeros(2, np.float32)], [0], size=size, n_cells=9
    )
    known = np.isfinite(around).all(axis=-1)
    assert known[4, 4]
    assert not known[0].any()
    assert np.isnan(around[~known]).all()


@pytest.mark.parametrize("interpolation", ["bilinear", "exact"])
def test_the_middle_is_a_block_of_the_orbit(small_network, smooth_images, interpolation):
    dataset = OrbitDataset(
        smooth_images,
        network=small_network,
        group=Dihedral(4),
        n_positions=1,
        sampling="center",
        interpolation=interpolation,
    )
    orbits = dataset.as_array()
    images, positions = dataset.locate(range(3))
    around = activations_around(dataset, images, positions, [0, 1, 5], size=20, n_cells=5)
    for i, element in enumerate([0, 1, 5]):
        block = orbits[i, element]
        assert np.corrcoef(around[i, 2, 2], block)[0, 1] > 0.9


def test_one_pass_serves_all_that_is_read_from_an_image(small_dataset, monkeypatch):
    images, elements = [0, 1, 0, 0, 1], [3, 3, 3, 1, 3]
    positions = np.random.default_rng(0).uniform(-5, 5, (5, 2)).astype(np.float32)
    alone = [
        activations_around(small_dataset, [i], [p], [g], size=20, n_cells=3)[0]
        for i, p, g in zip(images, positions, elements, strict=True)
    ]
    network, passed = small_dataset.network, []
    read = network.activations

    def counted(batch, layers):
        passed.append(len(batch))
        return read(batch, layers)

    monkeypatch.setattr(network, "activations", counted)
    together = activations_around(
        small_dataset, images, positions, elements, size=20, n_cells=3, batch_size=2
    )
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-4, atol=1e-5)
    assert passed == [2, 1]


def test_each_patch_is_that_of_its_position_and_its_element(small_dataset):
    images, elements = [2, 0, 2, 2], [5, 0, 5, 1]
    positions = np.random.default_rng(0).uniform(-9, 9, (4, 2)).astype(np.float32)
    cut = patches_around(small_dataset, images, positions, elements)
    for row, (image, element) in enumerate(zip(images, elements, strict=True)):
        alone = small_dataset.patches_at([image], positions[row : row + 1], elements=[element])
        np.testing.assert_array_equal(cut[row], alone[0, 0])
    assert patches_around(small_dataset, [0], [positions[0]], [0], size=9).shape == (1, 9, 9, 3)
    assert patches_around(small_dataset, [], [], [], size=9).shape == (0, 9, 9, 3)
