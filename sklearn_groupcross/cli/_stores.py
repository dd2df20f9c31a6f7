"""``groupcross extract`` and ``groupcross store``: orbits on disk."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tabulate import tabulate

from .._device import resolve_device
from ..actions import HueAction, ImageAction, ImageProductAction
from ..groups import check_nameable, parse_group
from ..networks import load_network
from ..orbits import ImageSource, OrbitDataset, OrbitStore
from ._arguments import choose_count, in_words
from ._streams import say


def extract(options: argparse.Namespace) -> None:
    """Run ``groupcross extract``."""
    action = _action(options)
    try:
        check_nameable(action.group, "Its orbits can be extracted all the same.")
    except ValueError as note:
        say(f"Note: {note}")
    images = ImageSource(options.images)
    if options.n_images is not None:
        n_images = choose_count(options.n_images, len(images), "--n-images")
        drawn = np.random.default_rng(options.seed).permutation(len(images))[:n_images]
        images = images[np.sort(drawn)]
    network = load_network(options.network, options.weights)
    network.precision = options.precision
    dataset = OrbitDataset(
        images,
        network=network,
        action=action,
        layer=options.layer,
        sampling=options.sampling,
        n_positions=options.positions,
        max_samples=options.max_samples,
        radius=options.radius,
        interpolation=options.interpolation,
        device=resolve_device(options.device),
        random_state=options.seed,
    )
    say(f"{network.name}, layer {dataset.layer}, {len(images)} images, {in_words(dataset.group)}")
    state_before = _state(options.out)
    store = dataset.extract(
        options.out,
        dtype=options.dtype,
        append=options.append,
        n_jobs=options.jobs,
        progress=True,
    )
    if state_before == (len(store.images), 0):
        what = "add" if options.append else "do"
        say(f"Nothing to {what}: {options.out} holds all of these images already.")
    _print_info(store)


def _action(options: argparse.Namespace) -> ImageAction | ImageProductAction:
    turns = ImageAction(parse_group(options.group), mask=options.mask)
    if options.hues is None:
        return turns
    if options.hues < 1:
        raise ValueError(f"--hues is a number of steps, at least 1; got {options.hues}.")
    parse_group(f"cyclic:{options.hues}")  # refuses one that is too large to be built
    return ImageProductAction(turns, HueAction(options.hues))


def _state(path: Path) -> tuple[int, int] | None:
    """How many images a store is to hold, and how many of them are pending; None without one."""
    try:
        store = OrbitStore(path, allow_incomplete=True)
    except FileNotFoundError:
        return None
    return len(store.images), len(store.pending_images())


def store_info(options: argparse.Namespace) -> None:
    """Run ``groupcross store info``."""
    _print_info(OrbitStore(options.store, allow_incomplete=True))


def _print_info(store: OrbitStore) -> None:
    print(tabulate(store.info().items(), tablefmt="plain"))


def store_verify(options: argparse.Namespace) -> None:
    """Run ``groupcross store verify``."""
    report = OrbitStore(options.store).verify(progress=not options.quiet)
    if not report.ok:
        *others, last = report.problems
        for problem in others:
            say(problem)
        raise ValueError(
            f"{last} {options.store} is damaged: {len(report.damaged_images)} of "
            f"{report.n_images} images. OrbitStore.discard has them written again."
        )
    if not options.quiet:
        print(report)
