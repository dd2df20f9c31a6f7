"""The equivariance index of a network at a layer, beside its controls.

    python benchmarks/equivariance_controls.py PHOTOGRAPHS bvlc_googlenet.safetensors

TopK dictionaries of 256 atoms, k = 16, at ``inception_3b_output``, on 40 positions of each of 60
photographs under Dihedral(8), and under Cyclic(8) on the rotated blocks alone. The orbits are

- trained: those of the network;
- random weights: those of the same architecture, its convolutions drawn anew (He, no bias);
- shuffled blocks: those of the network, the blocks of every orbit but the first in an order of
  their own, the same share of energy in every block and no group left.

Each without and with ``augment=True``. Printed for each: the median over atoms of the index, its
quartiles, its median after dealing the pairs of blocks out at random, the number of atoms whose
blocks do not differ, and the explained variance of the training orbits; over two seeds, the lower
and the higher value. For an abelian group, the index of augmented orbits is expected near 1
whatever the network: the second moments of its blocks depend on g⁻¹h alone. (Shuffled blocks have
moments alike for all pairs; what varies then is noise.) Only an index above that of its controls
says something of a network.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import torch

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, OrbitDataset, load_network
from sklearn_groupcross.analysis import equivariance_index

GROUP = Dihedral(8)
N_IMAGES, N_POSITIONS, SEEDS = 60, 40, (0, 1)


def with_random_weights(network, seed: int = 0):
    module = copy.deepcopy(network.module)
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            torch.nn.init.zeros_(layer.bias)
    return network.with_module(module)


def with_shuffled_blocks(orbits: np.ndarray) -> np.ndarray:
    n_samples, n_blocks = orbits.shape[:2]
    # the encoder reads the first block: it stays, or there would be nothing to predict from
    order = np.zeros((n_samples, n_blocks), dtype=np.int64)
    keys = np.random.default_rng(0).random((n_samples, n_blocks - 1))
    order[:, 1:] = 1 + np.argsort(keys, axis=1)
    return np.take_along_axis(orbits, order[:, :, None], axis=1)


def measure(orbits: np.ndarray, group, augment: bool, seed: int) -> list[float]:
    crosscoder = GroupCrosscoder(
        group,
        256,
        activation="topk",
        k=16,
        augment=augment,
        batch_size=256,
        max_epochs=25,
        random_state=seed,
    ).fit(orbits)
    found = equivariance_index(crosscoder.components_, group, random_state=0)
    median, low, high = np.nanquantile(found.index, [0.5, 0.25, 0.75])
    shuffled = float(np.nanmedian(found.shuffled))
    return [median, low, high, shuffled, found.constant.sum(), crosscoder.score(orbits)]


def main(images: str, weights: str) -> None:
    paths = sorted(Path(images).glob("*.jpg"))
    chosen = [paths[i] for i in np.random.default_rng(0).permutation(len(paths))[:N_IMAGES]]
    trained = load_network("bvlc_googlenet", weights)

    def read(network) -> np.ndarray:
        options = {"network": network, "group": GROUP, "n_positions": N_POSITIONS}
        return OrbitDataset(chosen, **options).as_array()

    orbits = {"trained": read(trained), "random weights": read(with_random_weights(trained))}
    orbits["shuffled blocks"] = with_shuffled_blocks(orbits["trained"])
    columns = ("index", "quartile 1", "quartile 3", "dealt", "constant", "explained")
    print(f"{'group':12} {'orbits':16} {'augment':8}" + "".join(f"{c:>18}" for c in columns))
    for group in (GROUP, Cyclic(GROUP.n_turns)):
        for name, array in orbits.items():
            for augment in (False, True):
                # the rotations come first: their blocks are the orbit under the cyclic group
                blocks = np.ascontiguousarray(array[:, : group.order])
                rows = np.array([measure(blocks, group, augment, seed) for seed in SEEDS])
                cells = [
                    f"{low:.3f} to {high:.3f}"
                    for low, high in zip(rows.min(axis=0), rows.max(axis=0), strict=True)
                ]
                print(
                    f"{group!r:12} {name:16} {augment!s:8}" + "".join(f"{c:>18}" for c in cells),
                    flush=True,
                )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
