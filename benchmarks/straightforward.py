"""From images to families as one writes it first: what `whole_way.py` compares with.

    python benchmarks/straightforward.py PHOTOGRAPHS WEIGHTS OUT [--images 200] [--atoms 1024]

Nothing of the package is used but the network, with torch's own normalisation in place of the
faster one: PIL and torchvision turn the image for every element of Dihedral(32), the network runs
with a hook, maps are read with grid_sample, orbits lie in memory, dictionaries are trained by
`dense_loop.DenseLoop`, and `straightforward_analysis.py` analyses and draws. As many images,
positions, steps, samples a step, atoms and seeds as the run has, a sixth of the images held out.
Nothing is slowed down on purpose.

With --steps of each seed so many are done, and the rest is extrapolated from their mean; output
says so. Prints a line of JSON for every stage: seconds, what was done of what, the peak of memory.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from dense_loop import DenseLoop
from numpy.typing import NDArray
from PIL import Image
from straightforward_analysis import Analysis, analyse, draw
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as vision

from sklearn_groupcross import load_network

LAYER, SIZE = "inception_3b_output", 224
N_TURNS, ORDER = 32, 64
# Unit k of the layer's 28 x 28 map looks at pixel 8k + 6; within 62.5 px of the centre no unit sees
# beyond the circle that stays in the picture when it is turned.
STRIDE, OFFSET, MAP, RADIUS, N_POSITIONS = 8.0, 6.0, 28, 62.5, 100
BATCH_SIZE, N_PASSES, K, LEARNING_RATE = 1024, 60, 48, 6e-3


class Stages:
    """Runs what is named and prints what it took."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def run(self, name: str, function: Callable[[], Any], factor: float = 1.0, of: str = "") -> Any:
        start = time.perf_counter()
        result = function()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        line = {"stage": name, "seconds": seconds * factor, "measured": seconds, "done": of}
        print(json.dumps({**line, "peak_mb": peak}), flush=True)
        return result


class Turned:
    """A picture under the elements of Dihedral(32): 32 turns, then 32 turns of the mirrored one."""

    def __init__(self, module: nn.Module, preprocess: Callable[[Tensor], Tensor]) -> None:
        self.module, self.preprocess = module, preprocess
        self._seen: list[Tensor] = []
        module.get_submodule(LAYER).register_forward_hook(lambda *args: self._seen.append(args[2]))

    def view(self, image: Image.Image, g: int) -> Image.Image:
        image = vision.hflip(image) if g >= N_TURNS else image
        turned = vision.rotate(image, 360.0 * (g % N_TURNS) / N_TURNS, InterpolationMode.BICUBIC)
        return vision.center_crop(turned, [SIZE, SIZE])

    def positions(self, position: NDArray[np.floating], g: int) -> NDArray[np.floating]:
        """Where (column, row) from the centre goes."""
        if g >= N_TURNS:
            position = position * [-1.0, 1.0]
        t = 2 * np.pi * (g % N_TURNS) / N_TURNS
        return position @ np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]).T

    @torch.no_grad()
    def maps(self, views: list[Image.Image]) -> Tensor:
        pixels = [
            vision.to_dtype(vision.to_image(view), torch.float32, scale=True) for view in views
        ]
        self._seen.clear()
        self.module(self.preprocess(torch.stack(pixels)))
        return self._seen[0]

    def read(self, maps: Tensor, positions: NDArray[np.floating]) -> Tensor:
        """Maps (n, d, 28, 28) at positions (n, p, 2), to (n, d, p)."""
        units = torch.tensor(((SIZE - 1) / 2 + positions - OFFSET) / STRIDE, dtype=torch.float32)
        grid = ((2 * units + 1) / MAP - 1)[:, None]
        return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)[:, :, 0]


def extract(
    turned: Turned, images: list[Image.Image], positions: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Orbits (images x positions, order, d)."""
    orbits = []
    for image, points in zip(images, positions, strict=True):
        maps = turned.maps([turned.view(image, g) for g in range(ORDER)])
        moved = np.stack([turned.positions(points, g) for g in range(ORDER)])
        orbits.append(turned.read(maps, moved).permute(2, 0, 1).numpy())
    return np.concatenate(orbits)


def cayley_table() -> NDArray[np.int64]:
    """``table[g, h]`` is the element that applies h first, then g."""
    r, s = np.arange(ORDER) % N_TURNS, np.arange(ORDER) // N_TURNS
    turn = (r[:, None] + np.where(s[:, None], -1, 1) * r) % N_TURNS
    return turn + N_TURNS * (s[:, None] ^ s)


class Augmented(DenseLoop):
    """The dense loop, every batch of which is turned by an element that is drawn for it."""

    def __init__(self, orbits: NDArray[np.float32], n_atoms: int, seed: int) -> None:
        super().__init__(orbits, n_atoms, K, BATCH_SIZE, LEARNING_RATE, seed=seed)
        # one mean for all blocks, since they are exchanged
        self.mean = self.mean.view(ORDER, self.d).mean(0).repeat(ORDER)
        self._table, self._rng = cayley_table(), np.random.default_rng(seed)

    def read(self, rows: Tensor) -> Tensor:
        blocks = torch.from_numpy(self._table[:, self._rng.integers(ORDER)])
        batch = self.flat[rows].view(len(rows), ORDER, self.d)[:, blocks].flatten(1)
        return (batch - self.mean) * self.scale


def load(weights: Path) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    network = load_network("bvlc_googlenet", weights)
    module = copy.deepcopy(network.module).to(memory_format=torch.contiguous_format)
    for name, child in module.named_children():
        if name.startswith(("pool1_norm", "conv2_norm")) and child is not None:
            setattr(module, name, nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0))
    return module.eval(), network.preprocess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path, help="folder for figures")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--atoms", type=int, default=1024)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=N_PASSES)
    parser.add_argument("--steps", type=int, help="of each seed, the others extrapolated")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    stages, rng = Stages(), np.random.default_rng(0)
    turned = Turned(*load(options.weights))
    names = sorted(options.photographs.glob("*.jpg"))[: options.images]
    images = [Image.open(name).convert("RGB") for name in names]
    distance = RADIUS * np.sqrt(rng.random((len(images), N_POSITIONS)))
    angle = 2 * np.pi * rng.random((len(images), N_POSITIONS))
    positions = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=-1)
    orbits = stages.run("extract", lambda: extract(turned, images, positions))
    n_held_out = -(-len(images) // 6)
    chosen = np.zeros(len(images), dtype=bool)
    chosen[rng.permutation(len(images))[:n_held_out]] = True
    of_image = np.repeat(np.arange(len(images)), N_POSITIONS)
    held_out, training = orbits[chosen[of_image]], orbits[~chosen[of_image]]
    del orbits
    n_steps = options.passes * -(-len(training) // BATCH_SIZE)
    n_done = min(n_steps, options.steps or n_steps)
    loops = []
    for seed in range(options.seeds):

        def fit(seed: int = seed) -> Augmented:
            loop = Augmented(training, options.atoms, seed)
            loop.fit(n_done)
            return loop

        loops.append(
            stages.run(f"fit seed {seed}", fit, n_steps / n_done, f"{n_done} of {n_steps} steps")
        )
    analysis: Analysis = stages.run(
        "analyse",
        lambda: analyse(
            loops, training, held_out, np.repeat(np.arange(n_held_out), N_POSITIONS), cayley_table()
        ),
    )
    shown = [images[i] for i in np.flatnonzero(chosen)]
    stages.run("draw", lambda: draw(analysis, loops, turned, shown, positions[chosen], options.out))


if __name__ == "__main__":
    main()
