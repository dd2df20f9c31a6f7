"""``groupcross layers`` as it is typed."""

from __future__ import annotations

import argparse
from typing import Any

from ._options import add_json, check_weights, network_help
from ._types import count, existing_file, network_name


def add_layers(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    parser = commands.add_parser(
        "layers",
        help="layers of a network: their shapes, and where their units look",
        description="List the layers of a network: the shape of their maps, stride and size of\n"
        "the field of their units in pixels, and why a layer cannot be read.",
        epilog="example:\n  groupcross layers models.py:build\n",
    )
    parser.set_defaults(command=_layers)
    parser.add_argument("network", type=network_name, metavar="NETWORK", help=network_help())
    parser.add_argument(
        "--weights",
        type=existing_file,
        metavar="FILE",
        help="a .safetensors or .pth file (default: the network's own weights)",
    )
    parser.add_argument(
        "--input-size",
        type=count(),
        metavar="N",
        help="pixels of the image (default: the network's)",
    )
    parser.add_argument(
        "--nodes", action="store_true", help="also operations that are no submodules"
    )
    parser.add_argument(
        "--confirm",
        action="store_true",
        help="hold every field against gradients, and measure those that cannot be derived: "
        "seconds a layer",
    )
    add_json(parser)
    parser.require(check_weights)


def _layers(options: argparse.Namespace) -> None:
    from ._layers import layers

    layers(options)
