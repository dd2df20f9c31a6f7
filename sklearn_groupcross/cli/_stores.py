"""``groupcross extract`` and ``groupcross store``: orbits on disk."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tabulate import tabulate

from .._device import resolve_device
from ..actions import HueAction, ImageAction, ImageProductAction
from ..groups import parse_group
from ..networks import load_network
from ..orbits import ImageSource, OrbitDataset, OrbitStore
from ._arguments import choose_count, in_words, say


def extract(options: argparse.Namespace) -> None:
    """Run ``groupcross extract``."""
    turns = ImageAction(parse_group(options.group), mask=options.mask)
    action = turns if options.hues is None else ImageProductAction(turns, HueAction(options.hues))
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
    dataset.check_images(progress=True)
    say(f"{network.name}, layer {dataset.layer}, {len(images)} images, {in_words(dataset.group)}")
    pending = _pending(options.out) if options.append else None
    store = dataset.extract(
        options.out,
        dtype=options.dtype,
        append=options.append,
        n_jobs=options.jobs,
        progress=True,
    )
    if pending == (len(store.images), 0):
        say(f"Nothing to add: {options.out} holds all of these images already.")
    _print_info(store)


def _pending(path: Path) -> tuple[int, int]:
    """How many images a store is to hold, and how many of them are pending."""
    store = OrbitStore(path, allow_incomplete=True)
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
