"""``groupcross extract`` and ``groupcross store``: orbits on disk."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from .._device import resolve_device
from ..actions import HueAction, ImageAction, ImageProductAction
from ..groups import parse_group
from ..networks import load_network
from ..orbits import ImageSource, OrbitDataset, OrbitStore
from ._arguments import add_source, choose_count, in_words, say


def add_stores(commands: Any) -> None:
    """Add the commands to a parser's subparsers."""
    extract = commands.add_parser(
        "extract",
        help="orbits of your images into a store on disk",
        description="Read orbits of images into a store on disk. The same command goes on where it "
        "was stopped.",
    )
    extract.set_defaults(command=_extract)
    add_source(extract)
    extract.add_argument("--out", type=Path, required=True, metavar="STORE", help="its folder")
    extract.add_argument(
        "--append", action="store_true", help="add images to a store of the same settings"
    )
    extract.add_argument(
        "--layer",
        action="append",
        help="layer to read (default: the network's own); may be given several times",
    )
    extract.add_argument(
        "--hues", type=int, metavar="N", help="also turn the colours by N steps of a full turn"
    )
    extract.add_argument(
        "--mask", action="store_true", help="hide what lies outside the inscribed circle"
    )
    extract.add_argument(
        "--sampling",
        default="disk",
        choices=("disk", "energy", "centre", "grid"),
        help="which positions are read (default: %(default)s)",
    )
    extract.add_argument("--positions", type=int, help="per image (default: 80; grid: all)")
    extract.add_argument("--max-samples", type=int, metavar="N", help="of all images together")
    extract.add_argument(
        "--radius", type=float, help="of the disk in pixels (default: the largest valid)"
    )
    extract.add_argument(
        "--interpolation",
        default="bilinear",
        choices=("bilinear", "exact"),
        help="how activations are read between units (default: %(default)s)",
    )
    extract.add_argument(
        "--precision",
        default="float32",
        choices=("float32", "bfloat16"),
        help="in which the network computes (default: %(default)s)",
    )
    extract.add_argument(
        "--dtype",
        default="float16",
        choices=("float16", "float32"),
        help="in which orbits are stored (default: %(default)s)",
    )
    extract.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes (default: %(default)s)"
    )
    extract.add_argument("--seed", type=int, default=0, help="default: %(default)s")

    store = commands.add_parser("store", help="look at orbits on disk, and check them")
    subcommands = store.add_subparsers(required=True, metavar="command")
    info = subcommands.add_parser(
        "info", help="what a store holds", description="Say what a store of orbits holds."
    )
    info.set_defaults(command=_store_info)
    verify = subcommands.add_parser(
        "verify",
        help="compare a store with its checksums",
        description="Read a store of orbits whole and compare every image with its checksum.",
    )
    verify.set_defaults(command=_store_verify)
    verify.add_argument("--quiet", action="store_true", help="print nothing if nothing is damaged")
    for parser_of_store in (info, verify):
        parser_of_store.add_argument("store", metavar="STORE", help="the store's folder")


def _extract(options: argparse.Namespace) -> None:
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


def _store_info(options: argparse.Namespace) -> None:
    _print_info(OrbitStore(options.store, allow_incomplete=True))


def _print_info(store: OrbitStore) -> None:
    print(tabulate(store.info().items(), tablefmt="plain"))


def _store_verify(options: argparse.Namespace) -> None:
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
