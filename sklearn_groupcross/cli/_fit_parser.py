"""``groupcross fit`` as it is typed."""

from __future__ import annotations

import argparse
from typing import Any

from ._options import add_device, add_json, add_no_verify, add_results, add_seed, check_seeds
from ._stage_options import add_dictionary, check_k
from ._types import store_folder


def add_fit(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    parser = commands.add_parser(
        "fit",
        help="dictionaries from a store of orbits",
        description="Fit group crosscoders of several seeds to a store of orbits. The same\n"
        "command goes on where it was stopped.",
        epilog="example:\n  groupcross fit photographs.orbits --out results\n",
    )
    parser.set_defaults(command=_fit)
    parser.add_argument(
        "store", type=store_folder, metavar="STORE", help="what extract wrote: a folder or a URL"
    )
    add_no_verify(parser)
    dictionary = add_dictionary(parser)
    add_device(dictionary)
    add_seed(dictionary, "what is held out, weights and batches")
    add_json(add_results(parser, out="groupcross-run"))
    for rule in (check_seeds, check_k):
        parser.require(rule)


def _fit(options: argparse.Namespace) -> None:
    from ._fit import fit

    fit(options)
