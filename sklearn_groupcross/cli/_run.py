"""``groupcross demo`` and ``groupcross run``: from images to stated symmetries."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from tabulate import tabulate

from .._device import resolve_device
from ..analysis import KINDS, measurable_kinds
from ..crosscoder import (
    GroupCrosscoder,
    check_parameters,
    keeping_checkpoint,
    sparsity_parameter,
)
from ..groups import Dihedral, PlanarGroup, check_nameable, parse_group
from ..networks import load_network
from ..orbits import ImageSource, OrbitDataset
from ._arguments import (
    check_installed,
    choose_count,
    in_words,
)
from ._experiment import (
    MODEL,
    ORBITS,
    REPORT,
    RESULTS,
    TABLE,
    Experiment,
    run_experiment,
    turns_of_interest,
)
from ._output import output_folder
from ._streams import say

_ROWS_A_KIND = 5
# What leads to features that another seed finds again, with TopK: see "What holds" in
# docs/benchmarks.
_ATOMS_A_CHANNEL, _CHANNELS_A_CODE = 1.6, 10
_LEARNING_RATE, _BATCH_SIZE = 6e-3, 1024


def demo(options: argparse.Namespace) -> None:
    """Run ``groupcross demo``."""
    from sklearn.datasets import load_sample_images

    check_installed("jinja2", "matplotlib")
    network, group = load_network("bundled"), Dihedral(16)
    # scaled like any other image, a whole photograph would give few samples: cut tiles
    side = OrbitDataset([np.zeros((8, 8, 3), np.uint8)], network=network, group=group).source_size
    tiles = [tile for photo in load_sample_images().images for tile in cut_tiles(photo, side)]
    held_out = tiles[::3]
    train = [tile for i, tile in enumerate(tiles) if i % 3]
    common = {"network": network, "group": group, "random_state": options.seed}
    crosscoder = GroupCrosscoder(
        group=group,
        n_features=192,
        l1=0.1,
        augment=True,
        compression="auto",
        max_epochs=50,
        random_state=options.seed,
        checkpoint_dir=options.out,
        verbose=1,
    )
    seeds = _of_several_seeds(crosscoder, options)
    with output_folder(options, RESULTS) as results, _keeping_checkpoints(seeds):
        say("Bundled network, two photographs, " + in_words(group))
        experiment = run_experiment(
            OrbitDataset(train, n_positions=320, **common),
            OrbitDataset(held_out, n_positions=320, **common),
            seeds,
            results.place,
            title="Symmetry report: groupcross demo",
            image_word="tiles of two photographs",
            quarters=True,
        )
        results.publish(replaced=(*RESULTS, *ORBITS))
    _print_results(experiment, group, options.out)


def run(options: argparse.Namespace) -> None:
    """Run ``groupcross run``."""
    group = parse_group(options.group)
    check_nameable(group)
    check_installed("jinja2", "matplotlib")
    device = resolve_device(options.device)
    crosscoder = GroupCrosscoder(
        group=group,
        n_features=options.features,
        augment=not options.no_augment,
        batch_size=_BATCH_SIZE,
        max_epochs=options.epochs,
        compression=options.compression,
        random_state=options.seed,
        device=device,
        checkpoint_dir=options.out,
        verbose=1,
    )
    if options.l1 is None:
        crosscoder.set_params(activation="topk", k=options.k, learning_rate=_LEARNING_RATE)
    else:
        crosscoder.set_params(activation="relu", l1=options.l1)
    seeds = _of_several_seeds(crosscoder, options)
    with output_folder(options, RESULTS) as results, _keeping_checkpoints(seeds):
        train, held_out = _read_images(options, group, device)
        for each in seeds:
            _choose_size(each, train.field.n_channels)
        network = train.network
        n_images = len(train) + len(held_out)
        say(f"{network.name}, layer {train.layer}, {n_images} images, {in_words(group)}")
        experiment = run_experiment(
            train,
            held_out,
            seeds,
            results.place,
            title=f"Symmetry report: {network.name} {train.layer}",
        )
        results.publish(replaced=(*RESULTS, *ORBITS))
    _print_results(experiment, group, options.out)


def _choose_size(crosscoder: GroupCrosscoder, n_channels: int) -> None:
    """Set how many atoms and active codes there are, where nothing was said."""
    if crosscoder.n_features is None:
        crosscoder.n_features = round(_ATOMS_A_CHANNEL * n_channels)
    if crosscoder.k is None and sparsity_parameter(crosscoder) == "k":
        crosscoder.k = min(-(-n_channels // _CHANNELS_A_CODE), crosscoder.n_features)


def _of_several_seeds(
    crosscoder: GroupCrosscoder, options: argparse.Namespace
) -> list[GroupCrosscoder]:
    """The crosscoder, and its like with the seeds that follow; parameters are checked."""
    if options.seeds < 1:
        raise ValueError(f"--seeds is a number of dictionaries, 1 or more; got {options.seeds}.")
    check_parameters(crosscoder)
    others = range(options.seed + 1, options.seed + options.seeds)
    return [crosscoder, *(clone(crosscoder).set_params(random_state=seed) for seed in others)]


@contextmanager
def _keeping_checkpoints(crosscoders: list[GroupCrosscoder]) -> Iterator[None]:
    with ExitStack() as stack:
        for crosscoder in crosscoders:
            stack.enter_context(keeping_checkpoint(crosscoder))
        yield


def _read_images(
    options: argparse.Namespace, group: PlanarGroup, device: torch.device
) -> tuple[OrbitDataset, OrbitDataset]:
    """Datasets over the images to train on and over those held out, every image checked."""
    images = ImageSource(options.images)
    rng = np.random.default_rng(options.seed)
    order = rng.permutation(len(images))[
        : choose_count(options.n_images, len(images), "--n-images", 2)
    ]
    n_held_out = options.held_out if options.held_out is not None else -(-len(order) // 6)
    if not 1 <= n_held_out < len(order):
        raise ValueError(
            f"{len(order)} images cannot be split into {n_held_out} held out and the rest for "
            "training: at least one of each is needed."
        )
    network = load_network(options.network, options.weights)
    train, held_out = (
        OrbitDataset(
            images[chosen],
            network=network,
            layer=options.layer,
            group=group,
            n_positions=options.positions,
            device=device,
            random_state=options.seed,
        )
        for chosen in (order[n_held_out:], order[:n_held_out])
    )
    images[order].check_all(progress=True)  # of both, so that all are named at once
    return train, held_out


def cut_tiles(image: NDArray[np.uint8], side: int) -> list[NDArray[np.uint8]]:
    """Cut an image into as many squares of `side` pixels as fit side by side."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    return [
        image[r * side : (r + 1) * side, c * side : (c + 1) * side]
        for r in range(rows)
        for c in range(columns)
    ]


def _print_results(experiment: Experiment, group: PlanarGroup, out: Path) -> None:
    firing = experiment.firing
    print()
    print(tabulate(experiment.summary.items(), tablefmt="plain"))
    print("\nKinds of features (p: cosine of an atom with its own turned copy)\n")
    counts = [
        (kind, int((firing["kind"] == kind).sum()), KINDS[kind]) for kind in measurable_kinds(group)
    ]
    print(tabulate(counts, headers=("kind", "features", "meaning")))
    print("\nThe most frequent features of each kind\n")
    if firing.empty:
        print("No feature fires: lower --l1, raise --k, or train for more --epochs.")
    turns = list(turns_of_interest(group))
    columns = ["kind", "symmetry", *turns, "family", "frequency", "found_again", "responses"]
    # on how few images they fire is in the table of the folder
    firing = firing.assign(
        responses=firing["responses"].str.replace("unknown: .*", "unknown", regex=True)
    )
    by_kind = firing.sort_values("frequency", ascending=False).groupby("kind", sort=False)
    shown = by_kind.head(_ROWS_A_KIND)
    shown = shown.sort_values("kind", key=lambda kinds: kinds.map(list(KINDS).index), kind="stable")
    print(tabulate(shown[columns], headers=["feature", *columns], floatfmt=".3f"))
    if experiment.findings:
        print("\nFindings\n")
        for finding in experiment.findings:
            print(f"- {finding.name}: {finding.message} {finding.advice}")
    print(f"\nReport: {out / REPORT}\nModel:  {out / MODEL}\nTable:  {out / TABLE}")
