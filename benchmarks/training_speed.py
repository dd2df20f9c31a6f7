"""Training against a straightforward dense loop in PyTorch.

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE \\
        python benchmarks/training_speed.py PHOTOGRAPHS bvlc_googlenet.safetensors FOLDER

Orbits at ``inception_3b_output`` of 72 photographs, 64 positions each, 12 photographs held out;
4096 atoms, TopK with k = 32, batches of 1024. The loop multiplies by every atom in float32 and
steps with Adam as torch has it by default; start, learning rates, clipping and data are the same.
Both fit in turn, `--rounds` times. Printed: samples a second, their ratio, and on the photographs
held out explained variance and L0 of both; the same ratio for encoding and for decoding; and the
peak of resident memory of a fit of ours, in a process of its own.

``--group trivial`` is a plain sparse autoencoder of the identity block. Orbits are kept in FOLDER.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_groupcross import GroupCrosscoder, OrbitDataset, load_network
from sklearn_groupcross.groups import Trivial, parse_group
from sklearn_groupcross.orbits import ImageSource

N_IMAGES, N_HELD_OUT, N_POSITIONS = 72, 12, 64
N_ATOMS, BATCH, LEARNING_RATE = 4096, 1024, 3e-3


class DenseLoop:
    """What one writes in an afternoon."""

    def __init__(self, orbits: np.ndarray, k: int) -> None:
        self.k, self.d = k, orbits.shape[2]
        flat = torch.from_numpy(orbits.reshape(len(orbits), -1))
        self.mean = flat.mean(0)
        centred = flat - self.mean
        self.scale = math.sqrt(flat.shape[1] / float(centred.square().sum(1).mean()))
        generator = torch.Generator().manual_seed(0)
        atoms = torch.randn(N_ATOMS, flat.shape[1], generator=generator)
        atoms = torch.nn.functional.normalize(atoms, dim=1)
        encoder = torch.nn.functional.normalize(atoms[:, : self.d], dim=1)
        self.encoder = torch.nn.Parameter(encoder)
        self.encoder_bias = torch.nn.Parameter(torch.zeros(N_ATOMS))
        self.decoder = torch.nn.Parameter(atoms)
        self.decoder_bias = torch.nn.Parameter(torch.zeros(flat.shape[1]))
        self.flat = flat

    def fit(self, n_steps: int) -> None:
        weights = [self.encoder, self.decoder, self.decoder_bias]
        gain = math.sqrt(self.d)
        adam = torch.optim.Adam(
            [
                {"params": weights, "lr": LEARNING_RATE},
                {"params": [self.encoder_bias], "lr": LEARNING_RATE * gain},
            ]
        )

        def rise_and_fall(step: int) -> float:
            rise = (step + 1) / max(1, round(0.05 * n_steps))
            fall = (n_steps - step) / max(1, round(0.2 * n_steps))
            return min(1.0, rise, fall)

        schedule = torch.optim.lr_scheduler.LambdaLR(adam, rise_and_fall)
        generator = torch.Generator().manual_seed(0)
        order = torch.empty(0, dtype=torch.int64)
        for _ in range(n_steps):
            if len(order) < BATCH:
                order = torch.randperm(len(self.flat), generator=generator)
            rows, order = order[:BATCH], order[BATCH:]
            batch = (self.flat[rows] - self.mean) * self.scale
            error = batch - self.decode(self.encode(batch[:, : self.d]))
            adam.zero_grad()
            error.square().mean().backward()
            torch.nn.utils.clip_grad_norm_([*weights, self.encoder_bias], 1.0)
            adam.step()
            schedule.step()

    def encode(self, inputs: Tensor) -> Tensor:
        values, places = (inputs @ self.encoder.T + self.encoder_bias).topk(self.k, dim=1)
        return torch.zeros(len(inputs), N_ATOMS).scatter(1, places, values.relu())

    def decode(self, codes: Tensor) -> Tensor:
        return codes @ self.decoder + self.decoder_bias

    @torch.no_grad()
    def score(self, orbits: np.ndarray) -> tuple[float, float]:
        flat = torch.from_numpy(orbits.reshape(len(orbits), -1))
        scaled = (flat - self.mean) * self.scale
        codes = self.encode(scaled[:, : self.d])
        error = (scaled - self.decode(codes)).square().sum()
        total = (scaled - scaled.mean(0)).square().sum()
        return 1 - float(error / total), float((codes > 0).sum(1).float().mean())


def ours(group: Any, n_steps: int, n_samples: int, k: int) -> GroupCrosscoder:
    n_batches = -(-n_samples // BATCH)
    return GroupCrosscoder(
        group,
        N_ATOMS,
        activation="topk",
        k=k,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        max_epochs=-(-n_steps // n_batches),
        dead_features=None,  # the loop does nothing for them either
        random_state=0,
    )


def peak_of_fit(crosscoder: GroupCrosscoder, orbits: np.ndarray, queue: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    crosscoder.fit(orbits)
    queue.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def timed(function: Any, *arguments: Any) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs")
    parser.add_argument("weights")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--group", default="dihedral:32")
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    trivial = options.group == "trivial"
    group = parse_group("dihedral:32" if trivial else options.group)
    files = ImageSource(options.photographs)
    files = files[np.linspace(0, len(files) - 1, N_IMAGES).astype(int)]
    network = load_network("bvlc_googlenet", options.weights)
    dataset = OrbitDataset(files, network=network, group=group, n_positions=N_POSITIONS)
    store = dataset.extract(options.folder / repr(group), progress=True)
    orbits = np.asarray(store.read_blocks(slice(None), 1) if trivial else store, np.float32)
    group = Trivial() if trivial else group
    held_out = store.image_ids_ < N_HELD_OUT
    train, test = orbits[~held_out], orbits[held_out]
    n_samples = options.steps * BATCH

    ratios = []
    for _ in range(options.rounds):
        crosscoder = ours(group, options.steps, len(train), options.k)
        seconds = timed(crosscoder.fit, train)
        rate = crosscoder.n_iter_ * len(train) / -(-len(train) // BATCH) / seconds
        loop = DenseLoop(train, options.k)
        dense_rate = n_samples / timed(loop.fit, options.steps)
        ratios.append(rate / dense_rate)
        explained, l0 = loop.score(test)
        codes = crosscoder.transform(test)
        print(
            f"fit: {rate:.0f} samples a second, dense loop {dense_rate:.0f}: {ratios[-1]:.1f} "
            f"times; explained {crosscoder.score(test):.3f} and {explained:.3f}, "
            f"L0 {(codes > 0).sum(1).mean():.1f} and {l0:.1f}",
            flush=True,
        )
    print(f"fit: {np.median(ratios):.1f} times ({min(ratios):.1f} to {max(ratios):.1f})")
    flat = torch.from_numpy(test.reshape(len(test), -1))
    with torch.no_grad():
        pairs = {
            "encoding": (
                lambda: loop.encode((flat[:, : loop.d] - loop.mean[: loop.d]) * loop.scale),
                lambda: crosscoder.transform(test),
            ),
            "decoding": (
                lambda: loop.decode(torch.from_numpy(codes)) / loop.scale + loop.mean,
                lambda: crosscoder.inverse_transform(codes),
            ),
        }
        for name, (dense, mine) in pairs.items():
            ratios = [timed(dense) / timed(mine) for _ in range(5)]
            print(f"{name}: {np.median(ratios):.1f} times ({min(ratios):.1f} to {max(ratios):.1f})")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    crosscoder = ours(group, 4, len(train), options.k)
    process = context.Process(target=peak_of_fit, args=(crosscoder, train, queue))
    process.start()
    megabytes = queue.get() / 1024
    process.join()
    parameters = 4 * N_ATOMS * (train.shape[1] * train.shape[2] + train.shape[2]) / 1e6
    print(f"peak of fit: {megabytes:.0f} MB beyond the data; weights are {parameters:.0f} MB")


if __name__ == "__main__":
    main()
