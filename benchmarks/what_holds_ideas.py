"""Ideas that might make features hold, and that the package does not have, in a dense loop.

    python benchmarks/what_holds_ideas.py FOLDER [IDEA ...]

FOLDER is that of ``what_holds.py``, with its orbits of 604 photographs and of 120 held out. A
crosscoder of 768 atoms, TopK k = 48, is trained in the package's coordinates (0.8 of the variance
kept), augmented, for 20 passes with a loop of few lines, so that any idea fits in:

- ``plain``: the loop alone, to compare the others with; its learning rate falls in the last fifth
- ``mean weights``: instead of falling it stays, and weights are averaged over the last fifth
- ``smooth 0.1``, ``smooth 1``: a penalty on 1 - cos of an atom and its copy at the smallest turn
- ``archetypal``: atoms are convex combinations of 2048 centers of k-means of the data (the same for
  both seeds), plus a part of at most half their norm (arXiv 2502.12892, relaxed)

Two seeds each; for each idea one line: variance explained on photographs held out, and the share of
features found again by the other seed, of all that fire and of those that fire on 1 % of orbits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch
from measuring import processor
from torch import Tensor

from sklearn_groupcross import Dihedral
from sklearn_groupcross.analysis import match_dictionaries
from sklearn_groupcross.crosscoder._basis import OrbitBasis, fit_basis

GROUP = Dihedral(32)
N_ROWS, N_ATOMS, K, BATCH, PASSES, RATE, KEPT = 60_400, 768, 48, 1024, 20, 6e-3, 0.8
SMALLEST_TURN = 1
IDEAS = ("plain", "mean weights", "smooth 0.1", "smooth 1", "archetypal")


class Data:
    """Orbits in the package's coordinates, centred and scaled."""

    def __init__(self, folder: Path) -> None:
        train = np.load(folder / "orbits-train.npy", mmap_mode="r")[:N_ROWS]
        self.held_out = np.load(folder / "orbits-held-out.npy", mmap_mode="r")
        self.train = train
        some = np.sort(np.random.default_rng(0).choice(N_ROWS, 8192, replace=False))
        rows = [np.asarray(train[part]) for part in np.array_split(some, 16)]
        self.mean = np.mean([part.mean(axis=(0, 1)) for part in rows], axis=0)
        self.scale = np.sqrt(
            train.shape[2] / np.mean([((part - self.mean) ** 2).sum(2).mean() for part in rows])
        )
        self.basis: OrbitBasis = fit_basis((self.prepare(p) for p in rows), GROUP, KEPT).basis
        parts = np.array_split(np.arange(N_ROWS), 200)
        self.coordinates = torch.cat(
            [self.basis.compress(self.prepare(train[part])) for part in parts]
        )

    def prepare(self, orbits: np.ndarray) -> Tensor:
        stacks = (np.asarray(orbits, dtype=np.float32) - self.mean) * self.scale
        return torch.from_numpy(stacks.reshape(len(stacks), -1).astype(np.float32))

    def batch(self, rows: np.ndarray, h: int) -> tuple[Tensor, Tensor]:
        """Identity blocks and coordinates of the h-transformed samples."""
        inputs = torch.from_numpy((self.train[rows, h] - self.mean) * self.scale).float()
        return inputs, self.basis.translate(self.coordinates[torch.from_numpy(rows)], h)


class Free:
    """Atoms without a constraint but their norm."""

    def __init__(self, data: Data, generator: torch.Generator) -> None:
        shape = (N_ATOMS, data.basis.n_coordinates)
        self.weights = torch.nn.functional.normalize(torch.randn(shape, generator=generator))
        self.parameters = [self.weights]

    def atoms(self) -> Tensor:
        return torch.nn.functional.normalize(self.weights)

    def after_step(self) -> None:
        # else the norm grows, and what a step changes of the direction shrinks
        with torch.no_grad():
            self.weights.copy_(self.atoms())


class Archetypal:
    """Atoms near the data: convex combinations of centers, and a bounded part besides."""

    def __init__(self, data: Data, generator: torch.Generator) -> None:
        self.centers = centers_of(data)
        n = len(self.centers)
        first = torch.randperm(n, generator=generator)[:N_ATOMS]
        self.mixture = torch.rand((N_ATOMS, n), generator=generator) / n
        self.mixture[torch.arange(N_ATOMS), first] = 1.0
        self.rest = torch.zeros(N_ATOMS, data.basis.n_coordinates)
        self.parameters = [self.mixture, self.rest]

    def atoms(self) -> Tensor:
        shares = self.mixture.relu()
        hull = (shares / shares.sum(1, keepdim=True).clamp_min(1e-8)) @ self.centers
        limit = 0.5 * hull.norm(dim=1, keepdim=True)
        rest = self.rest * (limit / self.rest.norm(dim=1, keepdim=True).clamp_min(1e-8)).clamp_max(
            1
        )
        return torch.nn.functional.normalize(hull + rest)

    def after_step(self) -> None:
        pass


def centers_of(data: Data) -> Tensor:
    """Directions of 2048 centers of k-means of orbits, each translated at random."""
    from sklearn.cluster import MiniBatchKMeans

    rng = np.random.default_rng(0)
    rows = rng.choice(N_ROWS, 20_000, replace=False)
    parts = [
        data.basis.translate(data.coordinates[torch.from_numpy(part)], int(h))
        for part, h in zip(np.array_split(rows, GROUP.order), range(GROUP.order), strict=True)
    ]
    found = MiniBatchKMeans(2048, batch_size=4096, n_init=1, max_iter=10, random_state=0).fit(
        torch.nn.functional.normalize(torch.cat(parts)).numpy()
    )
    return torch.nn.functional.normalize(torch.from_numpy(found.cluster_centers_).float())


def train(data: Data, idea: str, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Encoder (m, d), its bias (m,) and atoms (m, r)."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    dictionary = (Archetypal if idea == "archetypal" else Free)(data, generator)
    encoder = data.basis.expand(dictionary.atoms(), slice(0, 1)).clone()
    encoder = torch.nn.functional.normalize(encoder)
    bias = torch.zeros(N_ATOMS)
    learned = [encoder, bias, *dictionary.parameters]
    for each in learned:
        each.requires_grad_()
    smoothness = float(idea.split()[1]) if idea.startswith("smooth") else 0.0
    averages = idea == "mean weights"
    optimizer = torch.optim.Adam(learned, lr=RATE)
    n_steps = PASSES * (N_ROWS // BATCH)
    last_part, sums = n_steps * 4 // 5, None
    steps = count()
    for _ in range(PASSES):
        for rows in np.array_split(rng.permutation(N_ROWS), N_ROWS // BATCH):
            step = next(steps)
            falls = 1.0 if averages else min(1.0, (n_steps - step) / (n_steps - last_part))
            optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / 100) * falls
            inputs, targets = data.batch(rows, int(rng.integers(GROUP.order)))
            atoms = dictionary.atoms()
            error = targets - encode(inputs, encoder, bias) @ atoms
            loss = error.square().sum(1).mean() / data.basis.group.order / inputs.shape[1]
            if smoothness:
                turned = data.basis.translate(atoms, SMALLEST_TURN)
                loss = loss + smoothness * (1 - (atoms * turned).sum(1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            dictionary.after_step()
            if averages and step >= last_part:
                now = [encoder.detach().clone(), bias.detach().clone(), atoms.detach()]
                sums = now if sums is None else [a + b for a, b in zip(sums, now, strict=True)]
    if sums is None:
        return encoder.detach(), bias.detach(), dictionary.atoms().detach()
    n = n_steps - last_part
    return sums[0] / n, sums[1] / n, sums[2] / n


def encode(inputs: Tensor, encoder: Tensor, bias: Tensor) -> Tensor:
    values, indices = (inputs @ encoder.T + bias).topk(K)
    return torch.zeros(len(inputs), N_ATOMS).scatter(1, indices, values.relu())


@torch.no_grad()
def measure(data: Data, learned: tuple[Tensor, Tensor, Tensor]) -> tuple[float, np.ndarray]:
    """Variance explained on photographs held out, and on which share of orbits atoms fire."""
    encoder, bias, atoms = learned
    unexplained, total, fired = 0.0, 0.0, np.zeros(N_ATOMS)
    for part in np.array_split(np.arange(len(data.held_out)), 60):
        stacks = data.prepare(data.held_out[part])
        coordinates = data.basis.compress(stacks)
        codes = encode(stacks[:, : encoder.shape[1]], encoder, bias)
        squares = stacks.square().sum().item()
        outside = squares - coordinates.square().sum().item()
        unexplained += (coordinates - codes @ atoms).square().sum().item() + outside
        total += squares
        fired += (codes > 0).sum(0).numpy()
    return 1 - unexplained / total, fired / len(data.held_out)


def describe(data: Data, idea: str, fit: Callable[..., tuple[Tensor, Tensor, Tensor]]) -> str:
    start = time.perf_counter()
    fits = [fit(data, idea, seed) for seed in (0, 1)]
    minutes = (time.perf_counter() - start) / 120
    measured = [measure(data, learned) for learned in fits]
    atoms = [data.basis.expand(learned[2]).reshape(N_ATOMS, GROUP.order, -1) for learned in fits]
    fires, often = [], []
    for i, j in ((0, 1), (1, 0)):
        matching = match_dictionaries(atoms[i].numpy(), atoms[j].numpy(), group=GROUP)
        found = np.zeros(N_ATOMS, dtype=bool)
        found[matching.pairs[matching.matched, 0]] = True
        frequencies = measured[i][1]
        fires.append(found[frequencies > 0].mean())
        often.append(found[frequencies >= 0.01].mean())
    return (
        f"{idea:13} explained {np.mean([each[0] for each in measured]):.3f}  "
        f"fire {np.mean([(each[1] > 0).sum() for each in measured]):.0f}  {minutes:.1f} min  "
        f"found again: all {np.mean(fires):.3f}, firing on 1 % {np.mean(often):.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("ideas", nargs="*", metavar="IDEA", default=IDEAS)
    options = parser.parse_args()
    print(processor())
    data = Data(options.folder)
    for idea in options.ideas:
        print(describe(data, idea, train), flush=True)


if __name__ == "__main__":
    main()
