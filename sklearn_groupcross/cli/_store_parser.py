"""``groupcross extract`` and ``groupcross store`` as they are typed."""

from __future__ import annotations

import argparse
from typing import Any

from ._options import add_images, add_network, add_quiet, add_seed, check_weights
from ._stage_options import add_reading, add_sampling, add_storage, check_center, check_order
from ._types import store_folder, store_to_write


def add_extract(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    parser = commands.add_parser(
        "extract",
        help="orbits of your images into a store on disk",
        description="Read orbits of images into a store on disk. The same command goes on where it "
        "was stopped.",
        epilog="example:\n  groupcross extract photographs --network googlenet --out "
        "photographs.orbits\n",
    )
    parser.set_defaults(command=_extract)
    images = add_images(parser)
    add_sampling(images)
    add_seed(images, "the draw of images and the positions")
    network = add_network(
        parser,
        action="append",
        help="layer to read, may be given several times (default: the network's own)",
    )
    add_reading(network)
    store = parser.add_argument_group("store")
    store.add_argument(
        "--out", type=store_to_write, required=True, metavar="STORE", help="its folder, or a URL"
    )
    store.add_argument(
        "--append", action="store_true", help="add images to a store of the same settings"
    )
    add_storage(store)
    add_quiet(store)
    for rule in (check_weights, check_order, check_center):
        parser.require(rule)


def add_store(commands: Any) -> None:
    """Add the command, with its own, to a parser's subparsers."""
    store = commands.add_parser(
        "store",
        help="look at orbits on disk, and check them",
        description="Look at a store of orbits, or compare it with its checksums.",
        epilog="example:\n  groupcross store info photographs.orbits\n",
    )
    subcommands = store.add_subparsers(required=True, title="commands", metavar="command")
    info = subcommands.add_parser(
        "info",
        help="what a store holds",
        description="Say what a store of orbits holds.",
        epilog="example:\n  groupcross store info photographs.orbits\n",
    )
    info.set_defaults(command=_store_info)
    verify = subcommands.add_parser(
        "verify",
        help="compare a store with its checksums",
        description="Read a store of orbits whole and compare every image with its checksum.",
        epilog="example:\n  groupcross store verify photographs.orbits --quiet\n",
    )
    verify.set_defaults(command=_store_verify)
    verify.add_argument(
        "--discard",
        action="store_true",
        help="have damaged images written again by the extract or run that wrote them",
    )
    verify.add_argument("--quiet", action="store_true", help="print nothing if nothing is damaged")
    for parser in (info, verify):
        parser.add_argument("store", type=store_folder, metavar="STORE", help="its folder or URL")


def _extract(options: argparse.Namespace) -> None:
    from ._stores import extract

    extract(options)


def _store_info(options: argparse.Namespace) -> None:
    from ._stores import store_info

    store_info(options)


def _store_verify(options: argparse.Namespace) -> None:
    from ._stores import store_verify

    store_verify(options)
