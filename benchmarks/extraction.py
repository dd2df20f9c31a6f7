"""Extraction of orbits against the straightforward way, in images a second.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/extraction.py PHOTOGRAPHS bvlc_googlenet.safetensors
    python benchmarks/extraction.py PHOTOGRAPHS bvlc_googlenet.safetensors --device cuda --images 16

From files to a store on disk: decode, warp, network to ``inception_3b_output``, sampling, writing;
Dihedral(32), 80 positions an image. The straightforward way is what one writes first: torchvision
turns the image for each element, the whole network runs with a forward hook, maps are interpolated
with grid_sample, and the orbits go to a .npy file. Both turn bilinearly here, so that they compute
the same. They alternate in one run, image set by image set; ratios are per round. With ``--device
cuda`` both run there; the straightforward way in full float32.

Then what a forward pass of a batch of views takes: the operations of its convolutions a second,
against those of a large product of matrices in the same precision, in turns; once of whole maps,
once of what readings within the default disk look at. And how many orbits a minute come of more
positions in the same photographs. ``--parts`` chooses among ``ways``, ``share`` and ``positions``.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from measuring import processor, spread, take_turns
from numpy.typing import NDArray
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as vision

from sklearn_groupcross import Dihedral, Network, OrbitDataset, load_network
from sklearn_groupcross._ambient import own_state, tf32_convolutions, tf32_products
from sklearn_groupcross._processor import multiplies_bfloat16
from sklearn_groupcross.actions import ImageAction, center_crop
from sklearn_groupcross.networks import Window
from sklearn_groupcross.networks._bvlc_googlenet import CaffeLRN
from sklearn_groupcross.orbits import ImageSource

LAYER, GROUP = "inception_3b_output", Dihedral(32)
POSITIONS = (20, 80, 320, 1280)


def as_published(network: Network, device: torch.device) -> nn.Module:
    """The network as one builds it first: torch's own normalisation, channels first in memory."""
    module = copy.deepcopy(network.module).to(memory_format=torch.contiguous_format)
    for name, child in module.named_children():
        if isinstance(child, CaffeLRN):
            setattr(module, name, nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0))
    return module.to(device)


def straightforward(dataset: OrbitDataset, module: nn.Module, folder: Path) -> NDArray[np.float32]:
    """Orbits of all images, as one writes it first."""
    preprocess = dataset.network.preprocess
    seen: list[torch.Tensor] = []
    handle = module.get_submodule(LAYER).register_forward_hook(lambda *args: seen.append(args[2]))
    orbits = []
    device = next(module.parameters()).device
    with torch.no_grad(), own_state(), tf32_convolutions(device, wanted=False):
        for index in range(len(dataset)):
            image = dataset.images.load(index, dataset.source_size).to(device)
            views = []
            for g in range(GROUP.order):
                view = image.flip(-1) if GROUP.mirrored[g] else image
                angle = GROUP.degrees(int(GROUP.turns[g]))
                view = vision.rotate(view, angle, InterpolationMode.BILINEAR)
                views.append(center_crop(view, dataset.field.input_size))
            seen.clear()
            module(preprocess(torch.stack(views)))
            positions = dataset.action.transform_positions(dataset.positions_of(index))
            units = dataset.field.to_units(positions).transpose(0, 1).float().to(device)
            size = units.new_tensor(dataset.field.map_size)
            grid = ((2 * units + 1) / size - 1)[:, None]
            values = F.grid_sample(seen[0], grid, padding_mode="border", align_corners=False)
            orbits.append(values[:, :, 0].permute(2, 0, 1).cpu().numpy())
    handle.remove()
    np.save(folder / "straightforward.npy", np.concatenate(orbits))
    return np.concatenate(orbits)


def ways_on(device: torch.device) -> dict[str, tuple[str, int]]:
    """Precision and number of processes of the ways that are compared."""
    if device.type == "cuda":
        return {name: (name, 1) for name in ("float32", "tf32", "bfloat16")}
    precisions = ["float32", "bfloat16"] if multiplies_bfloat16() else ["float32"]
    return {
        f"{precision}, {n_jobs} process{'es' * (n_jobs > 1)}": (precision, n_jobs)
        for precision in precisions
        for n_jobs in (1, 2)
    }


class Comparison:
    """Datasets of the photographs, and what is timed of them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.device = options, torch.device(options.device)
        self.network = load_network("bvlc_googlenet", options.weights)
        self.published = as_published(self.network, self.device)
        self.files = ImageSource(options.folder)

    def dataset(self, round_number: int, precision: str = "float32", n: int = 80) -> OrbitDataset:
        first = round_number * self.options.images
        network = copy.copy(self.network)
        network.precision = precision
        return OrbitDataset(
            self.files[list(range(first, first + self.options.images))],
            network=network,
            layer=LAYER,
            action=ImageAction(GROUP, interpolation="bilinear"),
            n_positions=n,
            device=self.device,
        )

    def extracted(
        self, dataset: OrbitDataset, folder: Path, n_jobs: int = 1
    ) -> NDArray[np.generic]:
        n = dataset.n_samples // len(dataset)
        two_images = 2 * n * GROUP.order * dataset.n_channels * 2
        return np.asarray(dataset.extract(folder, n_jobs=n_jobs, chunk_bytes=two_images))

    def ways(self) -> None:
        ways = ways_on(self.device)
        ratios: dict[str, list[float]] = {name: [] for name in ways}
        errors: dict[str, list[float]] = {name: [] for name in ways}
        seconds = []
        for number in range(self.options.rounds + 1):  # the first one warms up and is not counted
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                start = time.perf_counter()
                expected = straightforward(self.dataset(number), self.published, folder)
                plain = time.perf_counter() - start
                for way, (precision, n_jobs) in ways.items():
                    source = self.dataset(number, precision)
                    start = time.perf_counter()
                    found = self.extracted(source, folder / way.replace(" ", "-"), n_jobs)
                    ours = time.perf_counter() - start
                    if number:
                        ratios[way].append(plain / ours)
                        difference = np.linalg.norm(found.astype(np.float32) - expected)
                        errors[way].append(float(difference / np.linalg.norm(expected)))
                if number:
                    seconds.append(plain / self.options.images)
        print(f"straightforward: {np.median(seconds):.3f} s an image")
        print(f"{'way':24} {'times faster':>22} {'difference':>11}")
        for way, values in ratios.items():
            print(f"{way:24} {spread(values):>22} {max(errors[way]):11.1e}")

    def share(self) -> None:
        """Operations a second of the forward pass, and of a large product."""
        n = 64 if self.device.type == "cuda" else 8
        views = torch.rand(n, 3, 224, 224, generator=torch.Generator().manual_seed(0))
        views = views.to(self.device)
        precisions = dict.fromkeys(precision for precision, _ in ways_on(self.device).values())
        for precision in precisions:
            dataset = self.dataset(0, precision)
            network = dataset.network.to(self.device)
            windows = {
                "of the disk": Window.within(dataset.field, dataset.radius),
                "of whole maps": Window.within(dataset.field, dataset.field.input_size),
            }
            functions = {"product": self._product(precision)}
            operations = {"product": 2 * 4096**3 if self.device.type == "cuda" else 2 * 2048**3}
            for name, window in windows.items():
                functions[name] = self._finished(
                    lambda network=network, window=window: network.activations_within(
                        views, {LAYER: window}
                    )
                )
                functions[name]()
                with FlopCounterMode(display=False) as counter:
                    functions[name]()
                operations[name] = counter.get_total_flops()
            times = take_turns(functions, 8)
            rate = {name: operations[name] / min(times[name]) for name in functions}
            print(f"{precision}: a large product {rate['product'] / 1e9:.0f} GFLOP/s")
            for name in windows:
                print(
                    f"  forward pass {name:14} {operations[name] / n / 1e9:5.2f} GFLOP a view, "
                    f"{1e3 * min(times[name]) / n:7.3f} ms, {rate[name] / 1e9:6.0f} GFLOP/s, "
                    f"{rate[name] / rate['product']:.0%} of the product's"
                )

    def _product(self, precision: str) -> Callable[[], None]:
        side = 4096 if self.device.type == "cuda" else 2048
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        left, right = torch.rand(2, side, side, device=self.device, dtype=torch.float32).to(dtype)

        def multiply() -> None:
            with own_state(), tf32_products(self.device, wanted=precision == "tf32"):
                left @ right

        return self._finished(multiply)

    def _finished(self, function: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            function()
            if self.device.type == "cuda":
                torch.cuda.synchronize()

        return run

    def positions(self) -> None:
        """Orbits a minute of one to several numbers of positions in the same photographs."""
        precision = "bfloat16" if self.device.type == "cuda" else "float32"
        minutes: dict[int, list[float]] = {n: [] for n in POSITIONS}
        for _ in range(self.options.rounds):
            for n, taken in minutes.items():
                with tempfile.TemporaryDirectory() as name:
                    source = self.dataset(0, precision, n)
                    start = time.perf_counter()
                    self.extracted(source, Path(name) / "orbits")
                    taken.append((time.perf_counter() - start) / 60)
        print(f"{'positions':>9} {'orbits a minute':>24} {'seconds an image':>22}  ({precision})")
        for n, taken in minutes.items():
            rates = [self.options.images * n / each for each in taken]
            seconds = [60 * each / self.options.images for each in taken]
            print(f"{n:9} {spread(rates, 0):>24} {spread(seconds, 3):>22}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="of images")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--images", type=int, default=4, help="images a round")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--parts", nargs="+", default=["ways", "share", "positions"])
    options = parser.parse_args()
    print(processor())
    if options.device == "cuda":
        print(torch.cuda.get_device_name())
    comparison = Comparison(options)
    for part in options.parts:
        getattr(comparison, part)()


if __name__ == "__main__":
    main()
