"""From images of any kind through networks of any kind: the law for the elements of the square."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_groupcross import Dihedral, Network, OrbitDataset
from tests.networks.modules import Unsteady

SQUARE = Dihedral(4)
SIDE, INPUT = 46, 32


@dataclass
class HiddenStates:
    """As models of transformers put out."""

    last_hidden_state: torch.Tensor


class Structured(nn.Module):
    """Puts out something that holds a map, as do its blocks; one layer puts out a map."""

    def __init__(self, wrap):
        super().__init__()
        self.embed, self.act, self.wrap = convolution(3, 6), nn.ReLU(), wrap
        self.block = Wrapped(wrap)

    def forward(self, x):
        return self.wrap(self.block(self.act(self.embed(x))))


class Wrapped(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.dense, self.wrap = convolution(6, 5), wrap

    def forward(self, x):
        return self.wrap(self.dense(x))


def convolution(n_in, n_out):
    layer = nn.Conv2d(n_in, n_out, 5)
    layer.weight.data = torch.randn(
        layer.weight.shape, generator=torch.Generator().manual_seed(n_in)
    )
    return layer


def module_of(n_channels):
    return nn.Sequential(convolution(n_channels, 6), nn.ReLU(), convolution(6, 5))


def wrapped_in(wrap):
    return Network(Structured(wrap), input_size=INPUT, default_layer="block.dense")


def training():
    module = Unsteady()
    module.train()
    module.norm.eval()  # a mixture, which is to stay
    return Network(module, input_size=INPUT, default_layer="block")


NETWORKS = {
    "grey": lambda: Network(module_of(1), n_channels=1, input_size=INPUT, default_layer="2"),
    "five": lambda: Network(module_of(5), n_channels=5, input_size=INPUT, default_layer="2"),
    "float32": lambda: Network(module_of(3), input_size=INPUT, default_layer="2"),
    "float64": lambda: Network(module_of(3).double(), input_size=INPUT, default_layer="2"),
    "bfloat16": lambda: Network(module_of(3).bfloat16(), input_size=INPUT, default_layer="2"),
    "training": training,
    "object": lambda: wrapped_in(lambda x: HiddenStates(getattr(x, "last_hidden_state", x))),
    "dict": lambda: wrapped_in(lambda x: {"last_hidden_state": x}),
    "tuple": lambda: wrapped_in(lambda x: (x, None)),
}


def fine_image(n_channels, dtype=np.uint16):
    """Smooth, on more levels than bytes have."""
    noise = torch.rand(1, n_channels, 7, 7, generator=torch.Generator().manual_seed(3))
    image = nn.functional.interpolate(noise, size=(SIDE, SIDE), mode="bicubic").clamp(0, 1)
    image = image[0].permute(1, 2, 0).double().numpy()
    if np.dtype(dtype).kind == "f":
        return image.astype(dtype)
    return (image * np.iinfo(dtype).max).round().astype(dtype)


def moved(image, h):
    """Transform an image (height, width, n_channels) by an element of the square's group."""
    if SQUARE.mirrored[h]:
        image = image[:, ::-1]
    return np.ascontiguousarray(np.rot90(image, int(SQUARE.turns[h])))


def dataset_of(images, network):
    return OrbitDataset(images, network=network, group=SQUARE, n_positions=6)


def difference(network, images, moved_images, h, *, permutation=None):
    """How far the orbits of h·x at h·p are from permuted orbits of x at p, relative."""
    dataset, of_moved = dataset_of(images, network), dataset_of(moved_images, network)
    positions = dataset.positions_of(0)
    there = dataset.action.transform_positions(positions)[:, h]
    orbits = dataset.read_orbits(dataset.images.load(0, dataset.source_size), positions)
    found = of_moved.read_orbits(of_moved.images.load(0, dataset.source_size), there)
    permutation = SQUARE.right_translation(h) if permutation is None else permutation
    expected = orbits[:, torch.from_numpy(permutation.copy())]
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_orbit_of_a_moved_image_is_a_permuted_orbit(kind):
    network = NETWORKS[kind]()
    assert dataset_of(fine_image(network.n_channels)[None], network).source_size == SIDE
    modes = [part.training for part in network.module.modules()]
    image = fine_image(network.n_channels)
    for h in range(SQUARE.order):
        found = difference(network, [image], [moved(image, h)], h)
        assert found < (2e-2 if kind == "bfloat16" else 1e-5)
        if SQUARE.mirrored[h]:
            wrong = SQUARE.cayley_table[h]
            assert difference(network, [image], [moved(image, h)], h, permutation=wrong) > 0.1
    assert [part.training for part in network.module.modules()] == modes


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, bool])
@pytest.mark.parametrize("kind", ["grey", "five", "float32"])
def test_it_holds_for_files_of_arrays(kind, dtype, tmp_path):
    network = NETWORKS[kind]()
    image = fine_image(network.n_channels, np.float32 if dtype is bool else dtype)
    image = image > 0.5 if dtype is bool else image
    for h in (1, 6):
        np.save(tmp_path / "x.npy", image)
        (tmp_path / "moved").mkdir(exist_ok=True)
        np.save(tmp_path / "moved" / "hx.npy", moved(image, h))
        files = ([tmp_path / "x.npy"], tmp_path / "moved")
        assert difference(network, *files, h) < 1e-5
        assert difference(network, [image], files[1], h) < 1e-5


@pytest.mark.parametrize("kind", ["grey", "five", "float32"])
def test_orbits_of_sixteen_bits_are_finer_than_those_of_eight(kind):
    network = NETWORKS[kind]()
    deep = 30000 + fine_image(network.n_channels) // 100  # within three levels of bytes

    def orbits(image):
        return dataset_of([image], network).as_array()

    exact, coarse = orbits(deep), orbits((deep // 257).astype(np.uint8))
    np.testing.assert_array_equal(orbits(deep / 65535), exact)
    np.testing.assert_allclose(orbits((deep / 65535).astype(np.float32)), exact, rtol=1e-4)
    centered = exact - exact.mean(axis=(0, 1))
    assert np.linalg.norm(coarse - exact) > 0.1 * np.linalg.norm(centered)
    # and are the same where bytes say all of it
    coarse_only = (deep // 257 * 257).astype(np.uint16)
    np.testing.assert_allclose(orbits(coarse_only), coarse, rtol=1e-4, atol=1e-4)


def test_a_structure_is_no_layer_and_the_one_within_is_named():
    for kind in ("object", "dict", "tuple"):
        with pytest.raises(ValueError, match=r"'block' puts out .* within it \(block\.dense\)"):
            NETWORKS[kind]().activations(torch.rand(1, 3, INPUT, INPUT), "block")
