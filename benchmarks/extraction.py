"""Extraction of orbits against the straightforward way, in images a second.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/extraction.py PHOTOGRAPHS bvlc_googlenet.safetensors

From files to a store on disk: decode, warp, network to ``inception_3b_output``, sampling, writing;
Dihedral(32), 80 positions an image. The straightforward way is what one writes first: torchvision
turns the image for each element, the whole network runs with a forward hook, maps are interpolated
with grid_sample, and the orbits go to a .npy file. Both turn bilinearly here, so that they compute
the same. They alternate in one run, image set by image set; ratios are per round.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as vision

from sklearn_groupcross import Dihedral, Network, OrbitDataset, load_network
from sklearn_groupcross.actions import ImageAction, center_crop
from sklearn_groupcross.networks._bvlc_googlenet import CaffeLRN
from sklearn_groupcross.orbits import ImageSource

LAYER, GROUP = "inception_3b_output", Dihedral(32)


def as_published(network: Network) -> nn.Module:
    """The network as one builds it first: torch's own normalisation, channels first in memory."""
    module = copy.deepcopy(network.module).to(memory_format=torch.contiguous_format)
    for name, child in module.named_children():
        if isinstance(child, CaffeLRN):
            setattr(module, name, nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0))
    return module


def straightforward(dataset: OrbitDataset, module: nn.Module, folder: Path) -> NDArray[np.float32]:
    """Orbits of all images, as one writes it first."""
    preprocess = dataset.network.preprocess
    seen: list[torch.Tensor] = []
    handle = module.get_submodule(LAYER).register_forward_hook(lambda *args: seen.append(args[2]))
    orbits = []
    with torch.no_grad():
        for index in range(len(dataset)):
            image = dataset.images.load(index, dataset.source_size)
            views = []
            for g in range(GROUP.order):
                view = image.flip(-1) if GROUP.mirrored[g] else image
                angle = GROUP.degrees(int(GROUP.turns[g]))
                view = vision.rotate(view, angle, InterpolationMode.BILINEAR)
                views.append(center_crop(view, dataset.field.input_size))
            seen.clear()
            module(preprocess(torch.stack(views)))
            positions = dataset.action.transform_positions(dataset.positions_of(index))
            units = dataset.field.to_units(positions).transpose(0, 1).float()
            size = units.new_tensor(dataset.field.map_size)
            grid = ((2 * units + 1) / size - 1)[:, None]
            values = F.grid_sample(seen[0], grid, padding_mode="border", align_corners=False)
            orbits.append(values[:, :, 0].permute(2, 0, 1).numpy())
    handle.remove()
    np.save(folder / "straightforward.npy", np.concatenate(orbits))
    return np.concatenate(orbits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="of images")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--images", type=int, default=4, help="images a round")
    options = parser.parse_args()
    networks = {
        precision: load_network("bvlc_googlenet", options.weights)
        for precision in ("float32", "bfloat16")
    }
    networks["bfloat16"].precision = "bfloat16"
    published = as_published(networks["float32"])
    files = ImageSource(options.folder)
    ways = {
        "float32, 1 process": {"n_jobs": 1, "precision": "float32"},
        "float32, 2 processes": {"n_jobs": 2, "precision": "float32"},
        "bfloat16, 1 process": {"n_jobs": 1, "precision": "bfloat16"},
        "bfloat16, 2 processes": {"n_jobs": 2, "precision": "bfloat16"},
    }
    ratios: dict[str, list[float]] = {name: [] for name in ways}
    errors: dict[str, list[float]] = {name: [] for name in ways}
    seconds = []
    for number in range(options.rounds + 1):  # the first one warms up and is not counted
        chosen = range(number * options.images, (number + 1) * options.images)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)

            def dataset(precision: str = "float32", chosen: range = chosen) -> OrbitDataset:
                return OrbitDataset(
                    files[list(chosen)],
                    network=networks[precision],
                    layer=LAYER,
                    action=ImageAction(GROUP, interpolation="bilinear"),
                )

            start = time.perf_counter()
            expected = straightforward(dataset(), published, folder)
            plain = time.perf_counter() - start
            for way, how in ways.items():
                source = dataset(str(how["precision"]))
                start = time.perf_counter()
                store = source.extract(
                    folder / way.replace(" ", "-"),
                    n_jobs=how["n_jobs"],
                    chunk_bytes=2 * 80 * GROUP.order * source.n_channels * 2,  # two images
                )
                ours = time.perf_counter() - start
                found = np.asarray(store)
                if number:
                    ratios[way].append(plain / ours)
                    difference = np.linalg.norm(found.astype(np.float32) - expected)
                    errors[way].append(float(difference / np.linalg.norm(expected)))
            if number:
                seconds.append(plain / options.images)
    print(
        f"straightforward: {np.median(seconds):.2f} s an image ({torch.get_num_threads()} threads)"
    )
    print(f"{'way':24} {'times faster':>12} {'range':>13} {'difference':>11}")
    for way, values in ratios.items():
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(f"{way:24} {np.median(values):12.1f} {spread:>13} {max(errors[way]):11.1e}")


if __name__ == "__main__":
    main()
