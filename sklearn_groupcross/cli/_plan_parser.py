"""``groupcross plan`` as it is typed."""

from __future__ import annotations

import argparse
from typing import Any

from .._group_names import MAX_ORDER, read_group_name
from ._options import add_json, add_network, add_quiet, add_seeds, check_weights
from ._stage_options import (
    add_dtype,
    add_features,
    add_k,
    add_passes,
    add_reading,
    check_k,
)
from ._types import count, existing_path, number

#: What is planned where nothing is said.
_IMAGES = (100_000, 1_000_000, 10_000_000)
_GROUPS = ("dihedral:8", "dihedral:32", "dihedral:128")


def add_plan(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    parser = commands.add_parser(
        "plan",
        help="what a run would take: time, memory, disk and money",
        description="Measure on this machine how fast each stage of a run is, a minute or more for "
        "each\ngroup, and say what runs over many images would take. Nothing is kept.",
        epilog="examples:\n  groupcross plan --network bundled --images 1000\n  groupcross plan "
        "--sample photographs --group dihedral:16 --workers 8 --price-per-hour 0.4\n",
    )
    parser.set_defaults(command=_plan)
    runs = parser.add_argument_group("runs")
    runs.add_argument(
        "--images",
        type=count(2),
        nargs="+",
        default=list(_IMAGES),
        metavar="N",
        help=f"images of a run, one plan for each (default: {' '.join(map(str, _IMAGES))})",
    )
    runs.add_argument(
        "--positions",
        type=count(),
        default=100,
        metavar="N",
        help="samples an image (default: %(default)s)",
    )
    runs.add_argument(
        "--sample",
        type=existing_path,
        nargs="+",
        metavar="IMAGES",
        help="images like those of the run, to measure on; eight are read (default: parts of two "
        "photographs that ship with scikit-learn)",
    )
    runs.add_argument(
        "--workers",
        type=count(),
        default=1,
        metavar="N",
        help="machines like this one, which share out chunks and seeds (default: %(default)s)",
    )
    runs.add_argument(
        "--processes",
        type=count(),
        default=1,
        metavar="N",
        help="machines like this one that train each dictionary together, for every worker as many "
        "(default: %(default)s)",
    )
    runs.add_argument(
        "--bandwidth",
        type=number(above=0),
        metavar="GBIT",
        help="Gbit/s that each of them can send (default: what they send is said, and takes no "
        "time)",
    )
    add_reading(
        add_network(
            parser,
            groups=_GROUPS,
            action="append",
            help="layer to read, may be given several times (default: the network's own)",
        )
    )
    add_dtype(runs)
    dictionary = parser.add_argument_group("dictionary")
    add_features(dictionary)
    add_k(dictionary)
    add_passes(dictionary)
    add_seeds(dictionary)
    money = parser.add_argument_group("money")
    money.add_argument(
        "--price-per-hour",
        type=number(least=0),
        metavar="X",
        help="of a machine like this one, in any currency (default: no prices)",
    )
    money.add_argument(
        "--price-per-gb-month",
        type=number(least=0),
        metavar="X",
        help="of 10^9 bytes on disk for a month (default: no prices)",
    )
    results = parser.add_argument_group("results")
    add_quiet(results)
    add_json(results)
    for rule in (check_weights, check_k, _check_orders, _check_processes):
        parser.require(rule)


def _check_orders(options: argparse.Namespace) -> None:
    for group in options.group:
        order = read_group_name(group).order * (options.hues or 1)
        if order > MAX_ORDER:
            raise ValueError(
                f"--group {group} with --hues {options.hues} has {order} elements; at most "
                f"{MAX_ORDER} are supported"
            )


def _check_processes(options: argparse.Namespace) -> None:
    if options.bandwidth is not None and options.processes == 1:
        raise ValueError("--bandwidth is of several --processes; one process sends nothing")
    if options.batch_size < options.processes:
        raise ValueError(
            f"--batch-size {options.batch_size} orbits cannot be divided among --processes "
            f"{options.processes}"
        )


def _plan(options: argparse.Namespace) -> None:
    from ._plan import plan

    plan(options)
