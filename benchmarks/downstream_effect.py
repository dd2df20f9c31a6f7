"""What replacing a layer of GoogLeNet by its reconstruction does to the class it names.

    python benchmarks/downstream_effect.py PHOTOGRAPHS WEIGHTS [--k 8 32 128] [--group trivial]

Dictionaries are fitted on activations of some photographs at inception_3b_output, one for each k of
TopK, and `downstream_effect` measures them on others. File names start with the class, as in
0007_n01514668.jpg. Printed: the table, with 95 % intervals over photographs, and the explained
variance of each dictionary in the two outermost rows and columns of units, where fields see
padding, and in the rest of the map.

--train-on orbits  positions drawn continuously in the disk of `OrbitDataset`, as for a group; for a
                   group other than the trivial one the dictionary reconstructs whole orbits.
--train-on units   units drawn from the whole map, at the scale of the measurement: the activations
                   that are replaced. Trivial group only.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from sklearn_groupcross import GroupCrosscoder, OrbitDataset, load_network
from sklearn_groupcross.actions import center_crop
from sklearn_groupcross.faithfulness import downstream_effect
from sklearn_groupcross.groups import parse_group
from sklearn_groupcross.orbits import ImageSource

SOURCE_SIZE = 256  # the default of downstream_effect for 224 px


def read_orbits(paths, network, options):
    orbits = OrbitDataset(
        paths, network=network, group=parse_group(options.group), n_positions=options.positions
    )
    return orbits.as_array()


def read_units(paths, network, options):
    source, rng = ImageSource(paths), np.random.default_rng(0)
    chosen = []
    for index in range(len(source)):
        square = center_crop(source.load(index, SOURCE_SIZE), network.input_size)
        units = network.activations(square[None])[0].flatten(1).T.numpy()
        chosen.append(units[rng.choice(len(units), options.positions, replace=False)])
    return np.concatenate(chosen)


def explained_at_border(crosscoder, network, paths):
    source, n_channels = ImageSource(paths), crosscoder.n_channels_
    error, maps = [], []
    for index in range(len(source)):
        square = center_crop(source.load(index, SOURCE_SIZE), network.input_size)
        maps.append(network.activations(square[None])[0].permute(1, 2, 0).numpy())
        units = maps[-1].reshape(-1, n_channels)
        decoded = crosscoder.encode(units) @ crosscoder.components_[:, :n_channels]
        residual = units - decoded - crosscoder.intercept_[:n_channels]
        error.append(np.square(residual).sum(axis=1).reshape(maps[-1].shape[:2]))
    error = np.mean(error, axis=0)
    total = np.square(maps - np.mean(maps, axis=(0, 1, 2))).sum(axis=3).mean(axis=0)
    border = np.ones(error.shape, dtype=bool)
    border[2:-2, 2:-2] = False
    return tuple(1 - error[part].sum() / total[part].sum() for part in (border, ~border))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--k", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--group", default="trivial")
    parser.add_argument("--train-on", choices=("orbits", "units"), default="orbits")
    parser.add_argument("--augment", action="store_true")
    parser.add_argument("--features", type=int, default=1024)
    parser.add_argument("--positions", type=int, default=80)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--test", type=int, default=40, help="photographs to measure on")
    options = parser.parse_args()
    if options.train_on == "units" and options.group != "trivial":
        parser.error("--train-on units has no orbits: it goes with --group trivial")

    paths = sorted(options.images.glob("*.jpg"))
    order = np.random.default_rng(0).permutation(len(paths))
    train = [paths[i] for i in order[:200]]
    test = [paths[i] for i in order[240 : 240 + options.test]]
    network = load_network("bvlc_googlenet", options.weights)
    read = read_orbits if options.train_on == "orbits" else read_units
    activations = read(train, network, options)
    print(f"training on {activations.shape[0]} samples of {len(train)} photographs", flush=True)

    fitted = {}
    for k in options.k:
        start = time.perf_counter()
        crosscoder = GroupCrosscoder(
            parse_group(options.group),
            options.features,
            activation="topk",
            k=k,
            augment=options.augment,
            max_epochs=options.epochs,
            random_state=0,
        )
        fitted[f"k = {k}"] = crosscoder.fit(activations)
        seconds = time.perf_counter() - start
        print(f"k = {k}: {crosscoder.n_steps_} steps in {seconds:.0f} s", flush=True)
    effects = downstream_effect(
        fitted,
        network,
        test,
        labels=[int(path.name.split("_")[0]) for path in test],
        source_size=SOURCE_SIZE,
    )
    for name in ("kl", "agreement", "recovered"):
        bounds = (effects.pop(f"{name}_{end}") for end in ("low", "high"))
        effects[name] = [
            f"{value:.3f} ({low:.3f} to {high:.3f})"
            for value, low, high in zip(effects[name], *bounds, strict=True)
        ]
    print(effects.to_markdown(index=False, floatfmt=".3f", tablefmt="rst"))
    for name, crosscoder in fitted.items():
        border, rest = explained_at_border(crosscoder, network, test)
        print(f"{name}: explained variance {border:.3f} at the border, {rest:.3f} elsewhere")


if __name__ == "__main__":
    main()
