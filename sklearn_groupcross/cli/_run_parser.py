"""``groupcross demo`` and ``groupcross run`` as they are typed."""

from __future__ import annotations

import argparse
from typing import Any

from ._options import (
    add_images,
    add_json,
    add_network,
    add_no_verify,
    add_results,
    add_seed,
    add_seeds,
    check_seeds,
    check_symmetries,
    check_weights,
)
from ._stage_options import (
    add_dictionary,
    add_reading,
    add_sampling,
    add_storage,
    add_symmetries,
    add_visualize,
    check_center,
    check_held_out,
    check_k,
    check_order,
)
from ._types import existing_file, is_of_store

#: The settings of a demo; what its images are is known to itself.
_DEMO = {
    "images": None,
    "n_images": None,
    "skip_damaged": None,
    "network": "bundled",
    "weights": None,
    "group": "dihedral:16",
    "device": "auto",
    "layer": None,
    "hues": None,
    "mask": False,
    "sampling": "disk",
    "positions": 320,
    "max_samples": None,
    "radius": None,
    "interpolation": "bilinear",
    "precision": "float32",
    "dtype": "float16",
    "jobs": 1,
    "no_verify": False,
    "held_out": 8,
    "features": 192,
    "k": None,
    "l1": 0.1,
    "compression": "auto",
    "epochs": 50,
    "batch_size": 512,
    "no_augment": False,
    "threshold": 0.8,
    "family_distance": "auto",
    "bags": "quarters",
    "no_refit": True,
    "visualize": None,
}


def add_demo(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    parser = commands.add_parser(
        "demo",
        help="a small network and two photographs that ship with the packages: no download",
        description="Run everything on the bundled network and scikit-learn's two photographs.",
        epilog="example:\n  groupcross demo --out first-contact\n",
    )
    parser.set_defaults(command=_demo, **_DEMO)
    dictionary = parser.add_argument_group("dictionary")
    add_seed(dictionary, "positions, weights and batches")
    add_seeds(dictionary)
    add_json(add_results(parser, out="groupcross-demo"))
    parser.require(check_seeds)


def add_run(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    parser = commands.add_parser(
        "run",
        help="your images, a network and a layer; or a store of orbits",
        description="Read orbits from images, fit group crosscoders and write a symmetry report:\n"
        "extract, fit, analyze and report, over one folder. The same command goes on\n"
        "where it was stopped.",
        epilog="examples:\n  groupcross run photographs --network googlenet --group dihedral:8 "
        "--out results\n  groupcross run photographs.orbits --out results\n  groupcross run "
        "--config results/run.toml --out again\n",
    )
    parser.set_defaults(command=_run)
    images = add_images(
        parser,
        nargs="*",
        help="a folder, searched with its subfolders, or image files; or one store of orbits",
    )
    add_sampling(images)
    images.add_argument(
        "--config",
        type=existing_file,
        metavar="FILE",
        help="run.toml of a run, which is repeated, its images included; options that are typed "
        "override it (default: none)",
    )
    add_reading(
        add_network(
            parser,
            action="append",
            help="layer to read, may be given several times (default: the network's own)",
        )
    )
    store = parser.add_argument_group("store")
    add_storage(store)
    add_no_verify(store)
    add_seed(add_dictionary(parser), "the draw of images, positions, weights, batches and bags")
    add_symmetries(parser)
    results = add_results(parser, out="groupcross-run")
    add_visualize(results)
    add_json(results)
    for rule in (
        _check_images,
        check_weights,
        check_symmetries,
        check_order,
        check_center,
        check_seeds,
        check_held_out,
        check_k,
    ):
        parser.require(rule)


def _check_images(options: argparse.Namespace) -> None:
    if not options.images and options.config is None:
        raise ValueError("the following arguments are required: IMAGES, a store, or --config")
    stores = [path for path in options.images or () if is_of_store(path)]
    if stores and len(options.images) > 1:
        raise ValueError(f"{stores[0]} is a store of orbits, which is read alone")


def _demo(options: argparse.Namespace) -> None:
    from ._demo import demo

    demo(options)


def _run(options: argparse.Namespace) -> None:
    from ._run import run

    run(options)
