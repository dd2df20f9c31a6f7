"""A dictionary that is closed under the group by construction, against one that is free.

    OMP_WAIT_POLICY=PASSIVE \\
        python benchmarks/tied_dictionary.py PHOTOGRAPHS bvlc_googlenet.safetensors FOLDER

Tied: one atom V for each family, whose translates ``V[g h]`` for all h are the dictionary; every
translate has an encoder row and a bias of its own, since the encoder reads the identity block
alone. That is |G| times fewer decoder parameters for as many atoms. Both are trained by the same
dense loop (benchmarks/dense_loop.py): TopK, float32, Adam, the same steps and learning rate.

Real orbits: ``Dihedral(8)``, ``inception_3b_output`` of 300 photographs, 32 positions each, 50
photographs held out, 1024 atoms (64 families), k = 24; with and without translated batches
(`augment`). Planted orbits: ``Dihedral(4)``, 32 channels, 128 atoms, k = 4: 16 families closed
under the group, or 128 atoms of which no two are translates. Printed, as means over `--seeds` with
95 % intervals (t distribution): explained variance of orbits held out; for planted ones also the
share of atoms that are found again (cosine above 0.9 after one-to-one assignment); and parameters
of the decoder and seconds a step.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch
from dense_loop import DenseLoop
from measuring import seconds
from scipy.optimize import linear_sum_assignment
from scipy.stats import t
from torch import Tensor
from training_speed import add_data_arguments, read_orbits

from sklearn_groupcross import Dihedral, make_orbits
from sklearn_groupcross.groups import FiniteGroup


class FreeLoop(DenseLoop):
    """The dense loop, with batches that may be translated."""

    def __init__(
        self, orbits: np.ndarray, group: FiniteGroup, n_atoms: int, k: int, augment: bool, seed: int
    ) -> None:
        super().__init__(orbits, n_atoms, k, batch_size=512, learning_rate=1e-3)
        self.table = torch.from_numpy(group.cayley_table.astype(np.int64))
        self.augment, self.order = augment, group.order
        self.draws = torch.Generator().manual_seed(seed)
        if augment:
            shared = self.mean.reshape(group.order, -1).mean(0)
            self.mean = shared.repeat(group.order)
        atoms = torch.randn(n_atoms, self.flat.shape[1], generator=self.draws)
        self.start(torch.nn.functional.normalize(atoms, dim=1))

    def start(self, atoms: Tensor) -> None:
        self.decoder = torch.nn.Parameter(atoms)
        encoder = torch.nn.functional.normalize(atoms[:, : self.d], dim=1)
        self.encoder = torch.nn.Parameter(encoder)

    def read(self, rows: Tensor) -> Tensor:
        batch = super().read(rows)
        if not self.augment:
            return batch
        h = int(torch.randint(self.order, (), generator=self.draws))
        return batch.reshape(len(batch), self.order, -1)[:, self.table[:, h]].flatten(1)

    def atoms(self) -> Tensor:
        return self.decoder


class TiedLoop(FreeLoop):
    """One atom for each family, and its translates."""

    def start(self, atoms: Tensor) -> None:
        families = atoms[:: self.order].clone()
        self.decoder = torch.nn.Parameter(families)
        translates = self.atoms().detach()[:, : self.d]
        self.encoder = torch.nn.Parameter(torch.nn.functional.normalize(translates, dim=1))

    def atoms(self) -> Tensor:
        blocks = self.decoder.reshape(len(self.decoder), self.order, -1)
        # [family, g, h] holds block g of the translate by h
        return blocks[:, self.table].transpose(1, 2).reshape(self.n_atoms, -1)

    def decode(self, codes: Tensor) -> Tensor:
        return codes @ self.atoms() + self.decoder_bias


def found_again(planted: np.ndarray, atoms: np.ndarray) -> float:
    atoms = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    planted = planted.reshape(len(planted), -1)
    cosines = planted / np.linalg.norm(planted, axis=1, keepdims=True) @ atoms.T
    return float((cosines[linear_sum_assignment(-cosines)] > 0.9).mean())


def with_interval(values: list[float]) -> str:
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.3f} ± {half:.3f}"


def planted_cases(seed: int) -> Iterator[tuple[str, FiniteGroup, np.ndarray, np.ndarray]]:
    for closed in (True, False):
        data = make_orbits(
            22_000, group=Dihedral(4), n_channels=32, n_families=16 if closed else 128,
            stabilizers="trivial", closed=closed, n_active=4, random_state=seed,
        )  # fmt: skip
        yield f"planted, {'' if closed else 'not '}closed", data.group, data.orbits, data.components


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_arguments(parser)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=160)
    options = parser.parse_args()
    group, train, test = read_orbits(options)
    # every fourth turn, without and with a mirror
    kept = np.concatenate([np.arange(0, 32, 4), 32 + np.arange(0, 32, 4)])
    train, test, group = train[:, kept], test[:, kept], Dihedral(8)
    loops = {"free": FreeLoop, "tied": TiedLoop}
    for augment in (False, True):
        for name, kind in loops.items():
            explained, times = [], []
            for seed in range(options.seeds):
                loop = kind(np.ascontiguousarray(train), group, 1024, 24, augment, seed)
                times.append(seconds(lambda loop=loop: loop.fit(options.steps)) / options.steps)
                explained.append(loop.score(np.ascontiguousarray(test)))
            print(
                f"photographs, augment={augment}, {name}: explained {with_interval(explained)}, "
                f"{loop.decoder.numel() / 1e6:.2f} M decoder parameters, "
                f"{np.median(times):.2f} s a step",
                flush=True,
            )
    results: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for seed in range(options.seeds):
        for case, of_case, orbits, planted in planted_cases(seed):
            for name, kind in loops.items():
                loop = kind(orbits[:20_000], of_case, 128, 4, False, seed)
                loop.fit(800)
                atoms = loop.atoms().detach().numpy()
                numbers = loop.score(orbits[20_000:]), found_again(planted, atoms)
                results.setdefault((case, name), []).append(numbers)
    for (case, name), numbers in results.items():
        explained, found = ([pair[i] for pair in numbers] for i in (0, 1))
        print(
            f"{case}, {name}: explained {with_interval(explained)}, "
            f"found again {with_interval(found)}"
        )


if __name__ == "__main__":
    main()
