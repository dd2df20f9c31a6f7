"""Training against a straightforward dense loop in PyTorch.

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE \\
        python benchmarks/training_speed.py PHOTOGRAPHS bvlc_googlenet.safetensors FOLDER

Orbits at ``inception_3b_output`` of 300 photographs, 32 positions each, 50 photographs held out;
4096 atoms, TopK with k = 32, batches of 1024. Fits take turns, `--rounds` times: the loop
(benchmarks/dense_loop.py), ours, and ours with each of `--compression`; all with the same steps,
from reading the data to weights in the units of the data. Printed: seconds and ratios, explained
variance and L0 on the photographs held out, what encoding and decoding these take, and the peak of
anonymous memory beyond the data.

``--group trivial`` is a plain sparse autoencoder of the identity block. Orbits are kept in FOLDER.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from dense_loop import DenseLoop
from measuring import GIGA, peak_bytes, processor, ratio, spread, step_times, take_turns

from sklearn_groupcross import GroupCrosscoder, OrbitDataset, load_network
from sklearn_groupcross.groups import FiniteGroup, Trivial, parse_group
from sklearn_groupcross.orbits import ImageSource

N_IMAGES, N_HELD_OUT, N_POSITIONS = 300, 50, 32
N_ATOMS, BATCH, LEARNING_RATE = 4096, 1024, 1e-3


def read_orbits(options: argparse.Namespace) -> tuple[FiniteGroup, np.ndarray, np.ndarray]:
    """Group, orbits to train on, and orbits of other photographs."""
    trivial = options.group == "trivial"
    group = parse_group("dihedral:32" if trivial else options.group)
    files = ImageSource(options.images)
    files = files[np.linspace(0, len(files) - 1, N_IMAGES).astype(int)]
    network = load_network("bvlc_googlenet", options.weights)
    dataset = OrbitDataset(files, network=network, group=group, n_positions=N_POSITIONS)
    store = dataset.extract(options.folder / repr(group), progress=True)
    orbits = np.asarray(store.read_blocks(slice(None), 1) if trivial else store, np.float32)
    held_out = store.image_ids < N_HELD_OUT
    return Trivial() if trivial else group, orbits[~held_out], orbits[held_out]


def ours(
    group: FiniteGroup, n_steps: int, n_samples: int, k: int, **changes: Any
) -> GroupCrosscoder:
    options = {
        "activation": "topk",
        "k": k,
        "batch_size": BATCH,
        "learning_rate": LEARNING_RATE,
        "max_epochs": -(-n_steps // -(-n_samples // BATCH)),
        "dead_features": None,  # the loop does nothing for them either
        "random_state": 0,
    }
    return GroupCrosscoder(group, N_ATOMS, **{**options, **changes})


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images")
    parser.add_argument("weights")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--group", default="dihedral:32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_arguments(parser)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--compression", type=float, nargs="*", default=[0.95, 0.9, 0.8])
    options = parser.parse_args()
    group, train, test = read_orbits(options)
    n_steps = ours(group, options.steps, len(train), options.k).max_epochs * -(-len(train) // BATCH)

    def fit_loop() -> DenseLoop:
        loop = DenseLoop(train, N_ATOMS, options.k, BATCH, LEARNING_RATE)
        loop.fit(n_steps)
        return loop

    def fit_ours(compression: float | None) -> GroupCrosscoder:
        changes = {"compression": compression}
        return ours(group, n_steps, len(train), options.k, **changes).fit(train)

    names = {"ours": None} | {f"ours, {share:g} kept": share for share in options.compression}
    fits: dict[str, Callable[[], Any]] = {"dense loop": fit_loop}
    fits |= {name: lambda share=share: fit_ours(share) for name, share in names.items()}
    fitted: dict[str, Any] = {}
    peaks: dict[str, int] = {}
    steps: dict[str, float] = {}

    def fit_and_keep(name: str) -> None:
        fitted[name] = fits[name]()

    def run(name: str) -> None:
        fitted.pop(name, None)
        with step_times() as starts:
            peaks[name] = peak_bytes(lambda: fit_and_keep(name))
        if starts:
            steps[name] = float(np.median(np.diff(starts)))

    times = take_turns({name: lambda name=name: run(name) for name in fits}, options.rounds)
    loop = fitted["dense loop"]
    print(processor())
    print(f"{group!r}, {len(train)} orbits to train on, {n_steps} steps of {BATCH} at most")
    for name, model in fitted.items():
        codes = model.transform(test)
        coordinates = getattr(model, "n_coordinates_", train.shape[1] * train.shape[2])
        print(
            f"{name}: {spread(times[name])} s, {ratio(times['dense loop'], times[name])} as fast, "
            f"{steps.get(name, np.median(times[name]) / n_steps):.3f} s a step, "
            f"{coordinates} coordinates, explained {model.score(test):.4f}, "
            f"L0 {(codes > 0).sum(1).mean():.1f}, peak {peaks[name] / GIGA:.2f} GB"
        )
    weights = 4 * N_ATOMS * (train.shape[1] * train.shape[2] + train.shape[2])
    print(f"weights, gradients, optimiser of all columns: {4 * weights / GIGA:.2f} GB")
    model, codes = fitted["ours"], fitted["ours"].transform(test)
    for name in ("transform", "inverse_transform"):
        given = test if name == "transform" else codes
        turns = {
            "dense": lambda name=name, given=given: getattr(loop, name)(given),
            "ours": lambda name=name, given=given: getattr(model, name)(given),
        }
        found = take_turns(turns, 7)
        print(f"{name}: {ratio(found['dense'][1:], found['ours'][1:])} as fast")


if __name__ == "__main__":
    main()
